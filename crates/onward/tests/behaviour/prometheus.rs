//! Reads the text format as strictly as Prometheus and its linter do. Where `promtool` is installed, it has its say too.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::process::{Command, Stdio};

/// A sample: its name, its labels in order, and its value.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// The samples by their series, as the text has them. Refuses what would be refused there: a sample apart from its family, a
/// family that comes twice, a label that is not escaped, buckets that do not add up.
pub(crate) fn parsed(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut samples = HashMap::new();
    let mut families = HashSet::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, sentence) =
            help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).unwrap_or_else(|| {
                panic!("`{help}` belongs to no family: each begins with its help");
            });
        assert!(is_name(name) && name.starts_with("onward_"), "{name}");
        assert!(!sentence.is_empty() && families.insert(name.to_owned()), "{name} has no help, or comes twice");
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")).map(str::to_owned));
        let kind = kind.unwrap_or_else(|| panic!("the type of {name} does not follow its help"));
        let mut of_family = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = sample(line);
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(samples.insert(series.to_owned(), sample.value).is_none(), "{series} comes twice");
            of_family.push(sample);
        }
        check_family(name, &kind, &of_family);
    }
    check_with_promtool(text);
    samples
}

fn check_family(name: &str, kind: &str, samples: &[Sample]) {
    match kind {
        "counter" => {
            assert!(name.ends_with("_total"), "the counter {name} does not end in _total");
            for sample in samples {
                assert!(sample.name == name && sample.value >= 0.0 && sample.value.fract() == 0.0, "{name}");
            }
        }
        "gauge" => {
            assert!(
                !["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)),
                "{name} is a gauge"
            );
            assert!(samples.iter().all(|sample| sample.name == name), "a sample of another family under {name}");
        }
        "histogram" => check_histograms(name, samples),
        other => panic!("{name} is a {other}"),
    }
    let names = |sample: &Sample| {
        sample.labels.iter().map(|(name, _)| name.clone()).filter(|it| it != "le").collect::<Vec<_>>()
    };
    let first = samples.first().map(names);
    assert!(samples.iter().all(|sample| Some(names(sample)) == first), "the labels of {name} differ");
}

/// Each histogram of a family: its buckets in order and cumulative, the last one without a bound, then its sum and its count.
fn check_histograms(name: &str, samples: &[Sample]) {
    let mut rest = samples;
    while let Some(first) = rest.first() {
        let labels =
            |sample: &Sample| sample.labels.iter().filter(|(name, _)| name != "le").cloned().collect::<Vec<_>>();
        let of = labels(first);
        let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
        while bound < f64::INFINITY {
            let (sample, after) = rest.split_first().unwrap_or_else(|| panic!("{name}: no bucket +Inf"));
            assert!(sample.name == format!("{name}_bucket") && labels(sample) == of, "{name}: {}", sample.name);
            let le = &sample.labels.iter().find(|(name, _)| name == "le").unwrap().1;
            let next = if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() };
            assert!(
                next > bound && sample.value >= count,
                "{name}: the bucket {le} is out of order, or not cumulative"
            );
            (bound, count, rest) = (next, sample.value, after);
        }
        let [sum, counted, after @ ..] = rest else { panic!("{name} has no sum and no count") };
        assert!(sum.name == format!("{name}_sum") && labels(sum) == of && sum.value >= 0.0, "{name}");
        assert!(counted.name == format!("{name}_count") && labels(counted) == of && counted.value == count, "{name}");
        rest = after;
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("`{line}` has no value"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inside.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label) && labels.iter().all(|(other, _)| other != label), "{line}");
            let (value, after) = unescaped(after).unwrap_or_else(|| panic!("a label is not escaped: {line}"));
            labels.push((label.to_owned(), value));
            match after.strip_prefix(',') {
                Some(after) => inside = after,
                None => {
                    rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').and_then(|value| value.parse().ok());
    Sample { name: name.to_owned(), labels, value: value.unwrap_or_else(|| panic!("`{line}` has no number")) }
}

/// The value up to its closing quote, and what follows.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn check_with_promtool(text: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = promtool.spawn() else { return };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn names_with_quotes_are_read_back() {
    let (value, rest) = unescaped(r#"night \"shift\"\\",le="1"} 2"#).unwrap();
    assert_eq!((value.as_str(), rest), (r#"night "shift"\"#, r#",le="1"} 2"#));
    assert_eq!(unescaped(r#"broken \x""#), None);
}

mod refuses {
    use super::parsed;

    #[test]
    #[should_panic(expected = "comes twice")]
    fn a_series_that_comes_twice() {
        parsed("# HELP onward_a_total A.\n# TYPE onward_a_total counter\nonward_a_total 1\nonward_a_total 1\n");
    }

    #[test]
    #[should_panic(expected = "not cumulative")]
    fn buckets_that_do_not_add_up() {
        let head = "# HELP onward_h H.\n# TYPE onward_h histogram\n";
        parsed(&format!(
            "{head}onward_h_bucket{{le=\"1\"}} 2\nonward_h_bucket{{le=\"+Inf\"}} 1\nonward_h_sum 1\nonward_h_count 1\n"
        ));
    }

    #[test]
    #[should_panic(expected = "does not end in _total")]
    fn a_counter_without_its_ending() {
        parsed("# HELP onward_a A.\n# TYPE onward_a counter\nonward_a 1\n");
    }
}
