//! TLS: whom to trust, and what failed.

use crate::args::Args;
use crate::exit::{Exit, Failure};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::verify_tls13_signature;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How to speak TLS, as the flags say.
pub(crate) fn config(args: &Args) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Exit::Tls, error.to_string()))?;
    let mut config = match args.insecure {
        true => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
            .with_no_client_auth(),
        false => {
            builder.with_root_certificates(roots(file_of(args).as_deref())?).with_no_client_auth()
        }
    };
    config.alpn_protocols = match (args.http1, args.http2_prior_knowledge) {
        (true, _) => vec![b"http/1.1".to_vec()],
        (_, true) => vec![b"h2".to_vec()],
        _ => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}

/// The file that has the certificates to trust, as curl finds it.
fn file_of(args: &Args) -> Option<PathBuf> {
    let named = || std::env::var_os("CURL_CA_BUNDLE").filter(|file| !file.is_empty());
    args.cacert.clone().or_else(|| named().map(PathBuf::from))
}

/// The certificates of a file, or else of the system, or of what `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// say in its place.
fn roots(file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let certificates = match file {
        Some(file) => of_file(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let message = match file {
            Some(file) => format!("--cacert {}: has no certificate in PEM", file.display()),
            None => "the system has no certificates to trust: install ca-certificates, or use \
                     --cacert FILE"
                .to_owned(),
        };
        return Err(Failure::new(Exit::CaFile, message));
    }
    Ok(roots)
}

fn of_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| {
        Failure::new(Exit::CaFile, format!("--cacert {}: {error}", file.display()))
    })
}

/// Why a handshake failed.
pub(crate) fn failure(error: &io::Error) -> Failure {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(_)) => {
            let message = format!("SSL certificate problem: {error}; -k lets any certificate pass");
            Failure::new(Exit::Certificate, message)
        }
        _ => Failure::new(Exit::Tls, format!("TLS connect error: {error}")),
    }
}

/// Trusts any certificate, for `-k`. Who has it must have its key all the same.
struct Anyone(Arc<CryptoProvider>);

impl fmt::Debug for Anyone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anyone")
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
