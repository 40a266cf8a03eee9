//! Parses the options in an attribute's brackets, `name = "..", attempts = 5`, for every attribute.

use std::ops::Range;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Error, Expr, ExprPath, Lit, LitStr, Meta, Result, Token, Type, parse::Parser, punctuated::Punctuated};

/// An attribute: its noun in error messages, and the options that it accepts.
pub(crate) struct Kind {
    pub(crate) noun: &'static str,
    pub(crate) options: &'static [&'static str],
    /// Where to set the options that it does not accept.
    pub(crate) elsewhere: &'static str,
}

/// The options that were given. Durations are in milliseconds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Args {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) attempts: Option<u32>,
    pub(crate) backoff: Option<Range<u64>>,
    pub(crate) timeout: Option<u64>,
    pub(crate) heartbeat_timeout: Option<u64>,
    /// The variant of `OnPanic`.
    pub(crate) on_panic: Option<&'static str>,
    /// The type of the errors that come back typed.
    pub(crate) errors: Option<Quoted>,
    /// The path of a function.
    pub(crate) retry_if: Option<Quoted>,
    pub(crate) max_recoveries: Option<u32>,
}

/// Code that was given in quotes. The compiler reports its errors at the quotes.
#[derive(Debug)]
pub(crate) struct Quoted(pub(crate) TokenStream);

impl PartialEq for Quoted {
    fn eq(&self, other: &Quoted) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Args {
    /// Reads the options. A wrong one is reported and left out, and the others still apply: the function is expanded anyway, so that
    /// one mistake gives one error instead of a dozen where the function is used.
    pub(crate) fn read(attribute: TokenStream, kind: &Kind) -> (Args, Option<Error>) {
        let mut args = Args::default();
        let options = match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(attribute) {
            Ok(options) => options,
            Err(error) => return (args, Some(Error::new(error.span(), NOT_AN_OPTION))),
        };
        let mistakes = together(options.iter().filter_map(|option| args.take(option, kind).err()));
        (args, mistakes)
    }

    fn take(&mut self, option: &Meta, kind: &Kind) -> Result<()> {
        let known = kind.options.iter().find(|known| option.path().is_ident(known));
        match known.copied() {
            Some("name") => set(&mut self.name, option, name),
            Some("version") => set(&mut self.version, option, name),
            Some("attempts") => set(&mut self.attempts, option, attempts),
            Some("backoff") => set(&mut self.backoff, option, backoff),
            Some("timeout") => set(&mut self.timeout, option, timeout),
            Some("heartbeat_timeout") => set(&mut self.heartbeat_timeout, option, timeout),
            Some("on_panic") => set(&mut self.on_panic, option, on_panic),
            Some("errors") => set(&mut self.errors, option, errors),
            Some("retry_if") => set(&mut self.retry_if, option, retry_if),
            Some("max_recoveries") => set(&mut self.max_recoveries, option, max_recoveries),
            _ => Err(unknown(option, kind)),
        }
    }
}

/// Combines all mistakes into one error, which the compiler reports one by one.
pub(crate) fn together(mistakes: impl IntoIterator<Item = Error>) -> Option<Error> {
    mistakes.into_iter().reduce(|mut all, one| {
        all.combine(one);
        all
    })
}

const NOT_AN_OPTION: &str = "an option must be a name and a value: `name = \"..\"`";

fn unknown(option: &Meta, Kind { noun, options, elsewhere }: &Kind) -> Error {
    let given = option.path().to_token_stream();
    let known = options.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    Error::new_spanned(option.path(), format!("unknown option `{given}`: a {noun} accepts {known}; {elsewhere}"))
}

fn set<T>(slot: &mut Option<T>, option: &Meta, read: fn(&Meta) -> Result<T>) -> Result<()> {
    if slot.is_some() {
        let given = option.path().to_token_stream();
        return Err(Error::new_spanned(option.path(), format!("`{given}` is given twice: remove one")));
    }
    *slot = Some(read(option)?);
    Ok(())
}

/// Reads a name. One that the store would refuse at launch is refused here.
fn name(option: &Meta) -> Result<String> {
    let text = text(option, "a string", "\"..\"")?;
    match text.value() {
        name if (1..=512).contains(&name.len()) && !name.contains('\0') => Ok(name),
        _ => Err(Error::new_spanned(text, "a name or version must have 1 to 512 bytes and no NUL")),
    }
}

fn attempts(option: &Meta) -> Result<u32> {
    let number = match literal(option) {
        Some(Lit::Int(number)) => number.base10_parse().ok(),
        _ => None,
    };
    match number {
        Some(0) => Err(Error::new_spanned(option, "the first attempt counts: write `attempts = 1` or more")),
        Some(attempts) => Ok(attempts),
        None => Err(takes(option, "a number", "5")),
    }
}

fn max_recoveries(option: &Meta) -> Result<u32> {
    let number = match literal(option) {
        Some(Lit::Int(number)) => number.base10_parse::<u32>().ok(),
        _ => None,
    };
    number.filter(|most| *most < i32::MAX as u32).ok_or_else(|| takes(option, "a number", "20"))
}

fn on_panic(option: &Meta) -> Result<&'static str> {
    let text = text(option, "`hold` or `fail` in quotes", "\"fail\"")?;
    match text.value().as_str() {
        "hold" => Ok("Hold"),
        "fail" => Ok("Fail"),
        other => {
            let sentence = format!("`{other}` is not a value of `on_panic`: write `hold`, the default, or `fail`");
            Err(Error::new_spanned(text, sentence))
        }
    }
}

fn errors(option: &Meta) -> Result<Quoted> {
    let text = text(option, "a type in quotes", "\"ChargeError\"")?;
    let sentence = || format!("`{}` is not a type: write the type of the error, as in `ChargeError`", text.value());
    let ty: Type = text.parse().map_err(|_| Error::new_spanned(text, sentence()))?;
    Ok(Quoted(ty.into_token_stream()))
}

fn retry_if(option: &Meta) -> Result<Quoted> {
    let text = text(option, "the path of a function in quotes", "\"ChargeError::is_transient\"")?;
    let sentence =
        || format!("`{}` is not the path of a function: write a path, as in `ChargeError::is_transient`", text.value());
    let path: ExprPath = text.parse().map_err(|_| Error::new_spanned(text, sentence()))?;
    Ok(Quoted(path.into_token_stream()))
}

fn timeout(option: &Meta) -> Result<u64> {
    let text = text(option, "a duration", "\"2m\"")?;
    duration(text, &text.value())
}

fn backoff(option: &Meta) -> Result<Range<u64>> {
    let text = text(option, "a range of durations", "\"1s..60s\"")?;
    let value = text.value();
    let Some((first, longest)) = value.split_once("..") else {
        let sentence = format!("`{value}` is not a range: write `1s..60s`, the first pause and the longest");
        return Err(Error::new_spanned(text, sentence));
    };
    let backoff = duration(text, first)?..duration(text, longest)?;
    if backoff.start > backoff.end {
        let sentence = format!("`{value}` has the longest pause first: write `{longest}..{first}`");
        return Err(Error::new_spanned(text, sentence));
    }
    Ok(backoff)
}

fn duration(at: &LitStr, text: &str) -> Result<u64> {
    millis(text).ok_or_else(|| {
        let sentence = format!("`{text}` is not a duration: write `250ms`, `30s`, `5m`, `2h` or `1d`");
        Error::new_spanned(at, sentence)
    })
}

fn millis(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn text<'m>(option: &'m Meta, what: &str, example: &str) -> Result<&'m LitStr> {
    match literal(option) {
        Some(Lit::Str(text)) => Ok(text),
        _ => Err(takes(option, what, example)),
    }
}

fn literal(option: &Meta) -> Option<&Lit> {
    match option {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(literal) => Some(&literal.lit),
            _ => None,
        },
        _ => None,
    }
}

fn takes(option: &Meta, what: &str, example: &str) -> Error {
    let given = option.path().to_token_stream();
    Error::new_spanned(option, format!("`{given}` must be {what}: `{given} = {example}`"))
}
