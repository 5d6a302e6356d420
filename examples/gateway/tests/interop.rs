//! The real Python and Node SDKs, and the Python sample of Function Compute's documentation as it
//! is, against the program.
//!
//! `tests/seed` has the sample ("Invoke HTTP-triggered functions by SDK": authenticated,
//! anonymous, own client). Only the indentation of its last lines, which the page has lost, is
//! made. What else is sent is `tests/interop` of the library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, unreachable_pub, reason = "helpers are shared with other tests")]

#[path = "sockets/function.rs"]
mod function;
#[path = "sockets/gateway.rs"]
mod gateway;
#[path = "../../../tests/interop/sdks.rs"]
mod sdks;
#[path = "../../../tests/common/setup.rs"]
mod setup;

use function::{End, Function};
use gateway::{File, Gateway};
use sdks::{NODE_SDKS, PYTHON_SDKS, Sdk, finish};
use setup::{named, needing};
use std::path::Path;
use std::process::ExitCode;
use tokio::process::Command;

/// An access key without a security token, and one with. `@alicloud/fc2` takes an id for that of
/// a temporary key when it begins with `STS`.
const KEYS: [(&str, &str); 2] = [("LTAI5tExample", ""), ("STS.NExample", "CAIS/example+token==")];
const FILE: &str = r#"{
    "LTAI5tExample": "an-example-secret",
    "STS.NExample": { "secret": "an-example-secret", "security_token": "CAIS/example+token==" }
}"#;

fn main() -> ExitCode {
    let python = named![
        the_sample_of_the_documentation_runs_as_it_is,
        every_request_of_the_python_sdks_is_answered_as_it_should_be,
    ];
    let node = named![every_request_of_the_node_sdks_is_answered_as_it_should_be];
    setup::run(needing(Some(&PYTHON_SDKS), python).chain(needing(Some(&NODE_SDKS), node)))
}

fn with_key(command: &mut Command, (id, token): (&str, &str)) {
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", id);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "an-example-secret");
    command.env("ALIBABA_CLOUD_SECURITY_TOKEN", token);
    // Loopback only.
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
}

#[tokio::main]
async fn the_sample_of_the_documentation_runs_as_it_is() {
    let function = Function::hello().await;
    let keys = File::new("json", FILE);
    let strict = Gateway::start(&function.url, &["--keys", keys.path()]);
    let anonymous = Gateway::anonymous(&function.url);
    let run = async |name: &str, gateway: &Gateway, target: &str| {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seed");
        let mut command = Sdk::Python.interpreter();
        command.arg(samples.join(name)).env("url", gateway.url(target));
        with_key(&mut command, KEYS[0]);
        finish(command, "").await;
    };
    for target in ["/", "/path?a=1&b=2"] {
        for (name, gateway) in [("authenticated.py", &strict), ("anonymous.py", &anonymous)] {
            run(name, gateway, target).await;
            let call = function.call();
            assert_eq!((call.method.as_str(), &*call.target), ("GET", target), "{name}");
            assert_eq!(call.got().await, ("anything".len(), End::Whole), "{name}");
            assert_eq!(
                (&call.headers["k1"], &call.headers["k2"]),
                (&"v1".parse().unwrap(), &"v2".parse().unwrap())
            );
            let is_signed = call.headers.contains_key("authorization");
            assert_eq!(is_signed, name == "authenticated.py");
        }
        run("own_client.py", &strict, target).await;
        assert_eq!(function.call().target, target);
        // Who does not sign is not let in where one must.
        run("anonymous.py", &strict, target).await;
        assert!(function.calls().is_empty());
    }
}

#[tokio::main]
async fn every_request_of_the_python_sdks_is_answered_as_it_should_be() {
    send_all(Sdk::Python).await;
}

#[tokio::main]
async fn every_request_of_the_node_sdks_is_answered_as_it_should_be() {
    send_all(Sdk::Node).await;
}

/// Has every case sent, with each access key.
async fn send_all(sdk: Sdk) {
    let function = Function::hello().await;
    let keys = File::new("json", FILE);
    let signed = Gateway::start(&function.url, &["--sdks", "--keys", keys.path()]);
    let anonymous = Gateway::anonymous(&function.url);
    let mut faults = Vec::new();
    for key in KEYS {
        let mut command = sdk.script("send");
        command.args(["--base", &signed.url("")]);
        if matches!(sdk, Sdk::Python) {
            command.args(["--anonymous-base", &anonymous.url("")]);
        }
        with_key(&mut command, key);
        let cases = finish(command, "").await;
        assert!(cases.len() > 50, "{}", cases.len());
        for case in cases {
            let is_right = match case["expect"].as_u64() {
                Some(status) => case["status"] == status,
                // Depends on how strict one is: it is let in or refused.
                None => case["status"] == 200 || case["status"] == 403,
            };
            if !is_right {
                faults.push(case.to_string());
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
