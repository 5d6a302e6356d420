//! Where access keys come from.

use crate::programs::{Folder, Outcome, at};
use crate::server::{ID, SECRET, SERVERS, TEMPORARY, TOKEN};
use crate::setup::named;

pub fn tests() -> [(&'static str, fn()); 4] {
    named![
        the_first_key_that_is_there_signs,
        a_token_of_sts_is_sent_and_signed,
        the_key_of_a_role_is_asked_of_sts,
        what_is_missing_is_named_with_what_there_is,
    ]
}

const INI: &str = ".alibabacloud/credentials";
const JSON: &str = ".aliyun/config.json";

fn ini(name: &str, id: &str) -> String {
    format!("[{name}]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = a-secret\n")
}

fn json(name: &str, id: &str) -> String {
    format!(
        r#"{{"current": "{name}", "profiles": [{{"name": "{name}", "mode": "AK",
            "access_key_id": "{id}", "access_key_secret": "a-secret"}}]}}"#
    )
}

fn run(folder: &Folder, variables: &[(&str, &str)], args: &[&str]) -> Outcome {
    folder.run_with(
        variables,
        "fcurl",
        &at(&SERVERS.signed, &[&["--dry-run", "HTTP"], args].concat()),
        b"",
    )
}

fn the_first_key_that_is_there_signs() {
    let folder = Folder::new();
    let env =
        [("ALIBABA_CLOUD_ACCESS_KEY_ID", "environment"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")];
    let named = ("ALIBABA_CLOUD_PROFILE", "other");
    let file = ("ALIBABA_CLOUD_CREDENTIALS_FILE", "file.ini");
    let flags = &["--access-key-id", "flag", "--access-key-secret", "s"];
    let check = |variables: &[(&str, &str)], args: &[&str], id: Result<&str, &str>| {
        let outcome = run(&folder, variables, args);
        let text = outcome.text();
        let found = text.split("authorization: FC ").nth(1);
        let found =
            found.map(|rest| rest.split(':').next().unwrap()).ok_or(outcome.errors.as_str());
        match (found, id) {
            (Err(error), Err(text)) => assert!(error.contains(text), "{error}"),
            (found, id) => assert_eq!(found, id),
        }
    };
    check(&[], &[], Err("there is no access key"));
    check(&env, &[], Ok("environment"));
    check(&env, flags, Ok("flag"));
    folder.write(JSON, &json("work", "json"));
    check(&[], &[], Ok("json"));
    folder.write(INI, &(ini("default", "ini") + &ini("other", "ini-other")));
    check(&[], &[], Ok("ini"));
    check(&[named], &[], Ok("ini-other"));
    check(&[], &["--profile", "work"], Ok("json"));
    check(&env, &["--profile", "other"], Ok("ini-other"));
    folder.write("file.ini", &ini("default", "file"));
    check(&[file], &[], Ok("file"));
    check(&[], &["--credentials-file", "file.ini"], Ok("file"));
    check(&env, &["--credentials-file", "file.ini"], Ok("file"));
    check(&[file, named], &[], Err("no profile \"other\" in file.ini, but default"));
}

fn a_token_of_sts_is_sent_and_signed() {
    let folder = Folder::new();
    folder.write("secret", &format!("{SECRET}\n"));
    folder.write("token", &format!("{TOKEN}\n"));
    folder.write(
        "sts.ini",
        &format!("[default]\ntype=sts\naccess_key_id={TEMPORARY}\naccess_key_secret={SECRET}\nsecurity_token={TOKEN}\n"),
    );
    let env = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", TEMPORARY),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN),
    ];
    let flags = [
        "--access-key-id",
        TEMPORARY,
        "--access-key-secret",
        "@secret",
        "--security-token",
        "@token",
    ];
    for way in
        [&["--scheme", "fc"][..], &["--scheme", "acs3"], &["--scheme", "acs"], &["--presign", "60"]]
    {
        for (variables, args) in
            [(&env[..], &[][..]), (&[], &flags[..]), (&[], &["--credentials-file", "sts.ini"])]
        {
            let args = at(&SERVERS.signed, &[&["-sSf", "HTTP/a"], way, args].concat());
            let outcome = folder.run_with(variables, "fcurl", &args, b"");
            assert_eq!(outcome.code, Some(0), "{args:?}: {}", outcome.errors);
        }
        let args = at(&SERVERS.signed, &[&["-sSf", "HTTP/a"], way].concat());
        let without = folder.run_with(&env[..2], "fcurl", &args, b"");
        assert_eq!(without.code, Some(22), "{args:?}");
    }
    // The secret from the standard input.
    let args = ["-sf", "--access-key-id", ID, "--access-key-secret", "@-", "HTTP/a"];
    let outcome = folder.run_with(&[], "fcurl", &at(&SERVERS.signed, &args), SECRET.as_bytes());
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
}

fn the_key_of_a_role_is_asked_of_sts() {
    let folder = Folder::new();
    let arn = "acs:ram::1:role/demo";
    let profile = format!(
        "[default]\ntype=ram_role_arn\naccess_key_id={ID}\naccess_key_secret={SECRET}\nrole_arn={arn}\n"
    );
    folder.write("role.ini", &profile);
    let profile = format!(
        r#"{{"current": "a", "profiles": [{{"name": "a", "mode": "RamRoleArn", "access_key_id":
            "{ID}", "access_key_secret": "{SECRET}", "ram_role_arn": "{arn}", "sts_region": "nowhere",
            "ram_session_name": "fcurl"}}]}}"#
    );
    folder.write("role.json", &profile);
    let env = [("ALIBABA_CLOUD_ACCESS_KEY_ID", ID), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)];
    for (args, result) in [
        (&["--role-arn", arn, "--sts-endpoint", "HTTP/sts"][..], Ok(())),
        (&["--role-arn", arn, "--sts-endpoint", "HTTPS/sts", "--cacert", "ca.pem"], Ok(())),
        (&["--credentials-file", "role.ini", "--sts-endpoint", "HTTP/sts"], Ok(())),
        (&["--credentials-file", "role.json", "--sts-endpoint", "HTTP/sts"], Ok(())),
        (
            &["--role-arn", "b", "--role-session-name", "me", "--sts-endpoint", "HTTP/sts"],
            Err((
                67,
                "the role b: STS answers 403: NoPermission: not RoleArn=b&RoleSessionName=me",
            )),
        ),
        (&["--role-arn", "strange", "--sts-endpoint", "HTTP/sts"], Err((67, "no access key"))),
        // The answer has a secret in it.
        (&["--role-arn", arn, "--sts-endpoint", "HTTPS/sts", "-k"], Err((60, "certificate"))),
        (&["--role-arn", arn, "--sts-endpoint", "http://sts.example"], Err((2, "https alone"))),
        (&["--credentials-file", "role.json"], Err((6, "sts.nowhere.aliyuncs.com"))),
    ] {
        let args = at(&SERVERS.signed, &[&["HTTP/a", "-v"], args].concat());
        let outcome = folder.run_with(&env, "fcurl", &args, b"");
        let errors = &outcome.errors;
        assert!(!errors.contains(SECRET) && !errors.contains(TOKEN), "{errors}");
        match result {
            Ok(()) => {
                assert!(outcome.text().starts_with("GET /a\n"), "{args:?}: {errors}");
                assert!(errors.contains(&format!("FC {TEMPORARY}:")), "{errors}");
            }
            Err((code, text)) => {
                assert_eq!(outcome.code, Some(code), "{args:?}: {errors}");
                assert!(errors.contains(text) && outcome.out.is_empty(), "{args:?}: {errors}");
            }
        }
    }
}

fn what_is_missing_is_named_with_what_there_is() {
    let folder = Folder::new();
    folder.write(INI, &ini("a", "a"));
    folder.write(JSON, &json("b", "b").replace("\"AK\"", "\"EcsRamRole\""));
    for (variables, args, code, texts) in [
        (&[][..], &["--profile", "c"][..], 2, &["no profile \"c\"", INI, JSON, "but a, b"][..]),
        (
            &[],
            &["--profile", "b"],
            2,
            &[JSON, "types it reads are access_key, sts, ram_role_arn, AK"],
        ),
        (&[], &["--credentials-file", "nowhere"], 26, &["nowhere cannot be read"]),
        (&[], &["--credentials-file", INI], 2, &["there is no access key", "profiles: a)"]),
        (
            &[],
            &["--access-key-id", "a", "--access-key-secret", "@nowhere"],
            26,
            &["nowhere cannot"],
        ),
        (&[], &["--access-key-id", "a"], 2, &["--access-key-secret"]),
        (
            &[("ALIBABA_CLOUD_ACCESS_KEY_ID", "a")],
            &[],
            2,
            &["ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set"],
        ),
        (
            &[],
            &["--profile", "a", "--access-key-id", "a", "--access-key-secret", "b"],
            2,
            &["cannot be used with"],
        ),
    ] {
        let outcome = run(&folder, variables, args);
        assert_eq!(outcome.code, Some(code), "{args:?}: {}", outcome.errors);
        for text in texts {
            assert!(outcome.errors.contains(text), "{args:?}: {text}: {}", outcome.errors);
        }
    }
}
