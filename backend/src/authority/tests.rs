use proptest::prelude::*;
use x509_parser::prelude::*;

use super::*;

/// 2023-11-14.
const NOW: u64 = 1_700_000_000;

fn authority() -> Authority {
    Authority::open(Authority::make(NOW).unwrap()).unwrap()
}

fn request(common_name: &str) -> Vec<u8> {
    let mut params = CertificateParams::new(["evil.example".to_owned()]).unwrap();
    params.distinguished_name = named(common_name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    request.der().to_vec()
}

#[test]
fn an_agents_certificate_says_who_it_is_for_how_long_and_nothing_that_was_asked_for() {
    let agent_id = Uuid::from_u128(7);
    let authority = authority();
    let certified = authority
        .certify(&request(&agent_id.to_string()), NOW, AGENT_LIFE)
        .unwrap();
    assert_eq!(certified.agent_id, agent_id);
    assert_eq!(certified.not_after_unix_s, NOW + 7 * 86_400);
    let (_, certificate) = X509Certificate::from_der(&certified.certificate).unwrap();
    let (_, issuer) = X509Certificate::from_der(authority.certificate()).unwrap();
    certificate.verify_signature(Some(issuer.public_key())).unwrap();
    assert!(issuer.is_ca() && !certificate.is_ca());
    assert_eq!(certificate.subject().to_string(), format!("CN={agent_id}"));
    assert!(certificate.subject_alternative_name().unwrap().is_none());
    assert_eq!(
        certificate.validity().not_after.timestamp(),
        1_700_000_000 + 7 * 86_400
    );
    let usage = certificate.extended_key_usage().unwrap().unwrap().value.clone();
    assert!(usage.client_auth && !usage.server_auth);
}

#[test]
fn requests_that_are_none_or_name_no_agent_are_refused() {
    let authority = authority();
    let refused = |request: &[u8]| authority.certify(request, NOW, AGENT_LIFE).unwrap_err();
    assert!(matches!(refused(b""), AuthorityError::Request(_)));
    assert!(matches!(
        refused(&request("host.example")),
        AuthorityError::AgentId
    ));
    assert!(matches!(
        refused(&request(&Uuid::nil().to_string())),
        AuthorityError::AgentId
    ));
    let mut forged = request(&Uuid::from_u128(7).to_string());
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(matches!(refused(&forged), AuthorityError::Request(_)));
}

#[test]
fn a_servers_certificate_is_for_its_names_and_addresses() {
    let names = ["collector.example".to_owned(), "10.0.0.1".to_owned()];
    let pair = authority().server(&names, NOW).unwrap();
    let (_, certificate) = X509Certificate::from_der(&pair.certificate).unwrap();
    let names = &certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    assert_eq!(names.len(), 2);
    assert!(matches!(names[1], GeneralName::IPAddress([10, 0, 0, 1])));
    authority()
        .server(&["with space\u{e9}".to_owned()], NOW)
        .unwrap_err();
}

#[test]
fn fingerprints_are_those_of_openssl() {
    // `printf abc | openssl dgst -sha256`
    let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(fingerprint(b"abc"), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_an_error(at in 0usize..400, change in any::<u8>(), cut in 0usize..400) {
        let authority = authority();
        let mut bytes = request(&Uuid::from_u128(7).to_string());
        let at = at % bytes.len();
        bytes[at] ^= change;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _either = authority.certify(&bytes, NOW, AGENT_LIFE);
    }
}
