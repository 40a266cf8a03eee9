//! Encrypted connections, with the options of a PostgreSQL URL: `sslmode` and `sslrootcert`.
//!
//! As in libpq, `prefer` and `require` encrypt without verifying the server; `verify-ca` and `verify-full` check the server's
//! certificate against `sslrootcert`, a file of certificates or `system`.

use onward_types::{Code, Error};

use crate::fault::Fault;

/// The TLS options of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    mode: Option<String>,
    roots: Option<String>,
}

#[cfg(feature = "tls")]
pub(super) type Tls = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
pub(super) type Tls = tokio_postgres::NoTls;

/// Take the TLS options out of the URL; the driver does not support all of them.
pub(super) fn parse(url: &str) -> Result<(String, Tls), Fault> {
    let (url, wanted) = split(url)?;
    let (mode, verify) = match wanted.mode.as_deref() {
        None => (None, None),
        Some(mode @ ("disable" | "prefer" | "require")) => (Some(mode), None),
        Some("allow") => (Some("prefer"), None),
        Some("verify-ca") => (Some("require"), Some(Verify::Issuer)),
        Some("verify-full") => (Some("require"), Some(Verify::IssuerAndName)),
        Some(other) => {
            let modes = "disable, allow, prefer, require, verify-ca and verify-full";
            return Err(invalid(format!("`sslmode={other}` is not valid: use one of {modes}")));
        }
    };
    let url = match mode {
        None => url,
        Some(mode) => format!("{url}{}sslmode={mode}", if url.contains('?') { '&' } else { '?' }),
    };
    Ok((url, connector(mode, verify, wanted.roots.as_deref())?))
}

/// Which parts of a server's certificate are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Issuer,
    IssuerAndName,
}

fn split(url: &str) -> Result<(String, Wanted), Fault> {
    let Some((address, query)) = url.split_once('?') else { return Ok((url.to_owned(), Wanted::default())) };
    let mut wanted = Wanted::default();
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => wanted.mode = Some(mode.to_owned()),
            Some(("sslrootcert", path)) => wanted.roots = Some(decoded(path)?),
            _ => rest.push(pair),
        }
    }
    if rest.is_empty() {
        return Ok((address.to_owned(), wanted));
    }
    Ok((format!("{address}?{}", rest.join("&")), wanted))
}

/// A value of the URL, in which any character may be written as `%` and two digits.
fn decoded(value: &str) -> Result<String, Fault> {
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
    let decoded = decoded.map_err(|_| invalid(format!("`sslrootcert={value}` is not valid: it is not UTF-8")))?;
    Ok(decoded.into_owned())
}

fn invalid(message: String) -> Fault {
    Error::new(Code::Invalid, message).into()
}

#[cfg(not(feature = "tls"))]
fn connector(mode: Option<&str>, _: Option<Verify>, _: Option<&str>) -> Result<Tls, Fault> {
    if mode == Some("require") {
        let message = "this binary was built without TLS: enable the feature `tls` of the crate onward";
        return Err(invalid(message.to_owned()));
    }
    Ok(tokio_postgres::NoTls)
}

#[cfg(feature = "tls")]
use with_rustls::connector;

#[cfg(feature = "tls")]
mod with_rustls {
    use std::path::Path;
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

    use super::{Fault, Tls, Verify, invalid};

    /// Where systems keep their trusted certificates.
    const SYSTEM: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];

    pub(super) fn connector(_: Option<&str>, verify: Option<Verify>, roots: Option<&str>) -> Result<Tls, Fault> {
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let issuers = match (verify, roots) {
            (None, _) => None,
            (Some(_), None) => {
                let remedy = "add sslrootcert=system, or sslrootcert=<a file of certificates>";
                return Err(invalid(format!("the URL requires the server's certificate to be verified: {remedy}")));
            }
            (Some(_), Some(roots)) => Some(verifier(roots, &crypto)?),
        };
        let checked = Checked { issuers, names: verify == Some(Verify::IssuerAndName), crypto: crypto.clone() };
        let config = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(checked))
            .with_no_client_auth();
        Ok(Tls::new(config))
    }

    fn verifier(roots: &str, crypto: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Fault> {
        let system = || {
            std::env::var("SSL_CERT_FILE")
                .ok()
                .or_else(|| SYSTEM.iter().find(|it| Path::new(it).exists()).map(|&it| it.to_owned()))
        };
        let path = if roots == "system" { system() } else { Some(roots.to_owned()) };
        let path = path.ok_or_else(|| {
            invalid(
                "the system's trusted certificates were not found in a usual place: name their file in SSL_CERT_FILE"
                    .to_owned(),
            )
        })?;
        let unreadable =
            |error: &dyn std::fmt::Display| invalid(format!("the certificates in {path} cannot be read: {error}"));
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| unreadable(&error))? {
            // A bundle may contain an odd certificate among many good ones.
            store.add_parsable_certificates([certificate.map_err(|error| unreadable(&error))?]);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), crypto.clone()).build();
        verifier.map_err(|error| unreadable(&error))
    }

    /// Checks what the URL requires of a certificate, and always that the peer has its private key.
    #[derive(Debug)]
    struct Checked {
        issuers: Option<Arc<WebPkiServerVerifier>>,
        names: bool,
        crypto: Arc<CryptoProvider>,
    }

    impl ServerCertVerifier for Checked {
        fn verify_server_cert(
            &self,
            certificate: &CertificateDer<'_>,
            chain: &[CertificateDer<'_>],
            name: &ServerName<'_>,
            ocsp: &[u8],
            now: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            let Some(issuers) = &self.issuers else { return Ok(ServerCertVerified::assertion()) };
            match issuers.verify_server_cert(certificate, chain, name, ocsp, now) {
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) if !self.names => Ok(ServerCertVerified::assertion()),
                checked => checked,
            }
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.crypto.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_encryption_is_taken_out_of_the_url() {
        let url = "postgres://db/a?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fca.pem";
        let (url, wanted) = split(url).unwrap();
        assert_eq!(url, "postgres://db/a?connect_timeout=3");
        assert_eq!(wanted, Wanted { mode: Some("verify-full".into()), roots: Some("/ca.pem".into()) });
        assert_eq!(split("postgres://db/a?sslmode=disable").unwrap().0, "postgres://db/a");
    }

    #[test]
    fn any_character_of_the_path_of_the_certificates_may_be_written_with_a_percent_sign() {
        let roots = |path: &str| split(&format!("postgres://db/a?sslrootcert={path}")).map(|(_, wanted)| wanted.roots);
        assert_eq!(roots("%2fmy%20certs%2fZ%C3%BCrich.pem").unwrap().as_deref(), Some("/my certs/Zürich.pem"));
        assert_eq!(roots("/100%.pem").unwrap().as_deref(), Some("/100%.pem"), "a sign that begins nothing stays");
        assert!(roots("%FF").unwrap_err().error.message().contains("not UTF-8"));
    }

    #[test]
    fn a_mode_that_cannot_be_kept_is_refused() {
        assert!(parse("postgres://db/a?sslmode=always").is_err());
        assert!(parse("postgres://db/a?sslmode=verify-full").is_err());
        assert_eq!(parse("postgres://db/a?sslmode=allow").unwrap().0, "postgres://db/a?sslmode=prefer");
    }
}
