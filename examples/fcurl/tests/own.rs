//! What curl has not, or has otherwise.

use crate::programs::{Folder, at, fcurl};
use crate::server::{ID, SECRET, SERVERS, TEMPORARY, TOKEN};
use crate::setup::named;

pub fn tests() -> [(&'static str, fn()); 11] {
    named![
        a_redirect_to_another_origin_is_not_followed,
        an_answer_that_ends_within_its_head_is_none,
        every_scheme_signs_what_a_server_verifies,
        a_digest_is_sent_unless_it_is_not_wanted,
        a_nonce_is_random_or_the_one_that_was_given,
        what_was_signed_is_said_without_secrets,
        verbose_shows_all_but_the_signature,
        no_secret_is_in_any_output,
        a_long_transfer_says_how_far_it_is,
        choices_are_listed_where_one_is_wrong,
        shells_and_man_know_every_flag,
    ]
}

fn a_redirect_to_another_origin_is_not_followed() {
    let open = &SERVERS.open;
    let folder = Folder::new();
    for (from, to) in [
        ("HTTP", format!("http://{}/a", open.plain)),
        ("HTTP", format!("//{}/a", open.plain)),
        // The same host and port by another name is another origin.
        ("HTTP", format!("http://localhost:{}/a", SERVERS.signed.plain.port())),
        ("HTTP", format!("https://{}/a", SERVERS.signed.plain)),
        ("HTTPS", format!("http://{}/a", SERVERS.signed.tls)),
    ] {
        let url = format!("{from}/redirect/302?{to}");
        let args = at(&SERVERS.signed, &["-L", "-k", "-i", &url]);
        let outcome = folder.run("fcurl", &args, b"");
        assert_eq!(outcome.code, Some(47), "{url}: {}", outcome.errors);
        assert!(outcome.errors.contains("another origin"), "{url}: {}", outcome.errors);
        assert_eq!(outcome.text().matches("HTTP/").count(), 1, "{}", outcome.text());
    }
}

/// Which is a success to some versions of curl.
fn an_answer_that_ends_within_its_head_is_none() {
    let outcome = fcurl(&["HALF"]);
    assert_eq!((outcome.code, outcome.out), (Some(52), Vec::new()));
}

fn every_scheme_signs_what_a_server_verifies() {
    for way in [
        &["--scheme", "fc"][..],
        &["--scheme", "acs3"],
        &["--scheme", "acs3-sm3"],
        &["--scheme", "acs"],
        &["--presign", "60"],
    ] {
        for url in ["HTTP/你好?é=1&é=1", "HTTPS/你好?é=1&é=1"] {
            let args = [&["-k", "-d", "body", url], way].concat();
            let outcome = fcurl(&args);
            assert!(outcome.text().starts_with("POST /%E4"), "{args:?}: {}", outcome.text());
        }
    }
    // As of another time it is refused.
    assert!(fcurl(&["--at", "1000000000", "HTTP"]).text().contains("AccessDenied"));
}

fn a_digest_is_sent_unless_it_is_not_wanted() {
    let sha256 =
        "x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let md5 = "content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==";
    for (args, expected) in [
        (&[][..], Some(md5)),
        (&["--scheme", "acs"], Some(md5)),
        (&["--presign", "9"], Some(md5)),
        (&["--scheme", "acs3"], Some(sha256)),
        (&["--digest", "md5-hex"], Some("content-md5: d41d8cd98f00b204e9800998ecf8427e")),
        (
            &["--digest", "md5-base64-of-hex"],
            Some("content-md5: ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U="),
        ),
        (&["--scheme", "acs", "--digest", "sha256"], Some(sha256)),
        (&["-H", "content-md5: mine"], Some("content-md5: mine")),
        (&["--digest", "none"], None),
        (&["--scheme", "acs3", "--digest", "none"], None),
        (&["-H", "content-md5:"], None),
    ] {
        let text = fcurl(&[&["--dry-run", "HTTP"], args].concat()).text();
        let request = text.split("# request\n").nth(1).unwrap().split("# curl").next().unwrap();
        let found = request.lines().find(|line| {
            line.starts_with("content-md5") || line.starts_with("x-acs-content-sha256")
        });
        assert_eq!(found, expected, "{args:?}");
    }
    // The server asks for one.
    assert_eq!(fcurl(&["-sf", "HTTP", "--digest", "none"]).code, Some(22));
    let outcome = fcurl(&["HTTP", "--digest", "sha256"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.errors);
}

fn a_nonce_is_random_or_the_one_that_was_given() {
    let nonce = |args: &[&str]| {
        let text = fcurl(&[&["--dry-run", "HTTP"], args].concat()).text();
        let mut lines = text.lines().filter(|line| line.contains("-signature-nonce: "));
        lines.next().map(str::to_owned)
    };
    assert_eq!(nonce(&[]), None);
    let random = nonce(&["--nonce"]).unwrap();
    assert_eq!(random.strip_prefix("x-fc-signature-nonce: ").unwrap().len(), 32);
    assert_ne!(Some(random), nonce(&["--nonce"]));
    let given = nonce(&["--nonce=once", "--scheme", "acs3"]);
    assert_eq!(given.as_deref(), Some("x-acs-signature-nonce: once"));
    assert_eq!(fcurl(&["--nonce=a b", "HTTP"]).code, Some(2));
    assert_eq!(fcurl(&["-sf", "--nonce", "HTTP"]).code, Some(0));
}

fn what_was_signed_is_said_without_secrets() {
    let args = ["--dry-run", "--at", "2026-11-21T17:57:00Z", "-A", "a", "HTTP/b?c=d"];
    let text = fcurl(&args).text();
    let known = format!(
        "# string-to-sign\nGET\n1B2M2Y8AsgTpgAmY7PhCfg==\n\nSat, 21 Nov 2026 17:57:00 GMT\n/b\n\
         c=d\n\n# request\nGET http://{0}/b?c=d\nhost: {0}\nuser-agent: a\naccept: */*\n\
         content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==\nauthorization: FC {ID}:<signature>\n\
         date: Sat, 21 Nov 2026 17:57:00 GMT\n\n# curl\ncurl ",
        SERVERS.signed.plain
    );
    assert!(text.starts_with(&known), "{text}\n{known}");
    let text = fcurl(&[&args[..], &["--scheme", "acs3"]].concat()).text();
    assert!(text.starts_with("# canonical request\nGET\n/b\n"), "{text}");
    let revealed = fcurl(&[&args[..], &["--reveal"]].concat()).text();
    assert!(!revealed.contains("<signature>"), "{revealed}");
}

fn verbose_shows_all_but_the_signature() {
    for url in ["HTTP/a", "HTTPS/a"] {
        let outcome = fcurl(&["-kv", "-d", "a", url]);
        for line in [
            "> POST /a HTTP/",
            "\n> content-type: application/x-www-form-urlencoded\n",
            "\n> authorization: FC LTAI5tExample:<signature>\n",
            " 200",
            "\n< content-type: text/plain\n",
        ] {
            assert!(outcome.errors.contains(line), "{line}: {}", outcome.errors);
        }
    }
    let outcome = fcurl(&["-v", "--presign", "60", "HTTP/a"]);
    assert!(outcome.errors.contains("x-fc-signature=<signature> HTTP/1.1\n"), "{}", outcome.errors);
    let outcome = fcurl(&["-v", "--reveal", "HTTP/a"]);
    assert!(!outcome.errors.contains("<signature>"), "{}", outcome.errors);
}

/// The secret never, the token only where it is revealed.
fn no_secret_is_in_any_output() {
    let folder = Folder::new();
    folder.write("secret", SECRET);
    folder.write(
        "profiles",
        &format!("[default]\naccess_key_id={TEMPORARY}\naccess_key_secret={SECRET}\nsecurity_token={TOKEN}\ntype=sts\n"),
    );
    folder.write("broken", &format!("[default]\naccess_key_secret {SECRET}\n"));
    folder.write("broken.json", &format!("{{\"profiles\": [\"{SECRET}\", \"{TOKEN}\"]}}"));
    let flags =
        ["--access-key-id", TEMPORARY, "--access-key-secret", SECRET, "--security-token", TOKEN];
    let url = "HTTP/redirect/302?/a";
    let keys: [&[&str]; 8] = [
        &flags,
        &[
            "--access-key-id",
            TEMPORARY,
            "--access-key-secret",
            "@secret",
            "--security-token",
            TOKEN,
        ],
        &["--credentials-file", "profiles"],
        &["--credentials-file", "broken"],
        &["--credentials-file", "broken.json"],
        &["--credentials-file", "profiles", "--profile", "no-such"],
        &["--access-key-secret", SECRET],
        &["--access-key-id", "a b", "--access-key-secret", SECRET, "--security-token", TOKEN],
    ];
    let encoded = TOKEN.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    for key in keys {
        for scheme in [
            &["--scheme", "fc"][..],
            &["--scheme", "acs3"],
            &["--scheme", "acs"],
            &["--presign", "60"],
        ] {
            for what in [
                &["-v", "-L", "-w", "%{json}%{header_json}%{url_effective}%{errormsg}"][..],
                &["--dry-run"],
                &["--print-curl"],
                &["--dry-run", "--reveal"],
                &["-H", "authorization: x"],
            ] {
                let args = at(&SERVERS.signed, &[key, scheme, what, &[url][..]].concat());
                let outcome = folder.run_with(&[], "fcurl", &args, b"");
                let all = format!("{}{}", outcome.text(), outcome.errors);
                assert!(!all.contains(SECRET), "{args:?}: {all}");
                if !what.contains(&"--reveal") {
                    assert!(!all.contains(TOKEN) && !all.contains(&encoded), "{args:?}: {all}");
                }
            }
        }
    }
}

fn a_long_transfer_says_how_far_it_is() {
    assert!(fcurl(&["HTTP/wait/a"]).errors.contains("0 B received, 0 B/s, 0:0"));
    assert_eq!(fcurl(&["-s", "HTTP/wait/a"]).errors, "");
    // Once a second, and at the end.
    let errors = fcurl(&["HTTP/wait/trickle"]).errors;
    assert!((2..10).contains(&errors.matches('\r').count()), "{errors}");
    assert!(errors.contains("500 B received"), "{errors}");
    // A short one says nothing.
    assert_eq!(fcurl(&["HTTP/a"]).errors, "");
}

fn choices_are_listed_where_one_is_wrong() {
    for (args, choices) in [
        (&["--scheme", "aws", "HTTP"][..], "fc, acs3, acs3-sm3, acs]"),
        (
            &["--digest", "sha1", "HTTP"],
            "auto, none, md5, md5-hex, md5-base64-of-hex, sha256, sm3]",
        ),
        (&["--completions", "csh"], "bash, elvish, fish, powershell, zsh]"),
        (&["-w", "%{no_such}", "HTTP"], "content_type, errormsg, "),
        (&["-H", "a", "HTTP"], "NAME: VALUE"),
        (&["--at", "noon", "HTTP"], "2026-11-21T17:57:00Z, or seconds since 1970"),
    ] {
        let errors = fcurl(args).errors;
        assert!(errors.contains(choices), "{args:?}: {errors}");
    }
}

fn shells_and_man_know_every_flag() {
    let help = fcurl(&["--help"]).text();
    let flags: Vec<_> = help
        .split_whitespace()
        .map(|word| word.trim_end_matches([',', '.', ')']))
        .filter_map(|word| word.strip_prefix("--"))
        .map(|flag| flag.split(['[', '=']).next().unwrap())
        .filter(|flag| !flag.is_empty())
        .collect();
    assert!(flags.len() > 40, "{flags:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = fcurl(&["--completions", shell]).text();
        for flag in &flags {
            assert!(text.contains(flag), "{shell} {flag}");
        }
        assert!(text.contains("acs3-sm3") || shell == "elvish", "{shell}");
    }
    let man = fcurl(&["--man"]).text().replace("\\-", "-");
    for flag in &flags {
        assert!(man.contains(&format!("--{flag}")), "{flag}");
    }
    assert!(fcurl(&["--version"]).text().starts_with("fcurl "));
}
