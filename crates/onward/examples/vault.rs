//! A codec that encrypts every payload, with keys that can be rotated.
//!
//! `cargo run --example vault`

use chacha20poly1305::aead::{self, Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use onward::codec::{Codec, Encoded, Payload};
use onward::prelude::*;

/// Encrypts with the newest of its keys, decrypts with any of them.
///
/// To rotate: give every process the new key as the first one and let it use the old one still, then make the new key the
/// last one everywhere. The old key may go once no run is kept that was written with it.
pub(crate) struct Vault {
    keys: Vec<(String, XChaCha20Poly1305)>,
    hash_key: [u8; 32],
}

impl Vault {
    /// A vault without a key. `hash_key` stays the same for ever; keys come and go.
    pub(crate) fn new(hash_key: [u8; 32]) -> Vault {
        Vault { keys: Vec::new(), hash_key }
    }

    /// Add a key under a name. The one that was added last encrypts.
    pub(crate) fn key(mut self, name: &str, key: [u8; 32]) -> Vault {
        self.keys.push((name.to_owned(), XChaCha20Poly1305::new(&key.into())));
        self
    }
}

/// The length of a nonce: long enough to be left to chance.
const NONCE: usize = 24;

impl Codec for Vault {
    fn name(&self) -> &str {
        "xchacha20poly1305"
    }

    fn encode(&self, plain: &[u8], what: Payload) -> Result<Encoded> {
        let (name, cipher) = self.keys.last().ok_or("the vault has no key")?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        // Nobody can pass the input of a run off as its output.
        let payload = aead::Payload { msg: plain, aad: what.as_str().as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| "it is too long to be encrypted")?;
        Ok(Encoded { key: name.clone(), data: [nonce.as_slice(), &sealed].concat() })
    }

    fn decode(&self, encoded: &Encoded, what: Payload) -> Result<Vec<u8>> {
        let key = self.keys.iter().find(|(name, _)| *name == encoded.key);
        let (_, cipher) = key.ok_or("the vault does not have that key")?;
        let (nonce, sealed) = encoded.data.split_first_chunk::<NONCE>().ok_or("it is too short")?;
        let payload = aead::Payload { msg: sealed, aad: what.as_str().as_bytes() };
        Ok(cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| "it was changed, or is of another key")?)
    }

    fn hash_key(&self) -> [u8; 32] {
        self.hash_key
    }
}

#[onward::workflow]
async fn greet(ctx: &Ctx, name: String) -> Result<String, Error> {
    ctx.step("greet", async || Ok(format!("Hello, {name}"))).await
}

#[tokio::main]
#[allow(dead_code, reason = "the tests take the vault and leave the rest")]
async fn main() -> Result<()> {
    // In earnest the keys come from where you keep secrets.
    let vault = Vault::new([1; 32]).key("2026-10", [2; 32]).key("2026-11", [3; 32]);
    let onward = Onward::open("sqlite::memory:").workflow::<greet>().codec(vault).launch().await?;
    println!("{}", onward.start::<greet>("Ada".to_owned()).await?.result().await?);
    Ok(())
}
