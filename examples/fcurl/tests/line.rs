//! The printed command line, run by a shell and the real curl, against a server that verifies.

use crate::programs::{Folder, at};
use crate::server::{ID, SECRET, SERVERS, TEMPORARY, TOKEN};
use crate::setup::named;

pub fn tests() -> [(&'static str, fn()); 5] {
    named![
        curl_sends_every_method_with_every_body_by_the_printed_line,
        curl_sends_every_target_by_the_printed_line,
        curl_sends_what_headers_were_given_by_the_printed_line,
        curl_sends_it_over_tls_and_with_a_token_by_the_printed_line,
        without_reveal_the_printed_line_is_refused,
    ]
}

const WAYS: [&[&str]; 5] = [
    &[],
    &["--scheme", "acs3"],
    &["--scheme", "acs3-sm3"],
    &["--scheme", "acs"],
    &["--presign", "60"],
];

const KEY: [(&str, &str); 2] =
    [("ALIBABA_CLOUD_ACCESS_KEY_ID", ID), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)];

/// Has curl send what fcurl prints for these arguments; with what fcurl itself gets.
#[track_caller]
fn check(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) {
    let args = at(&SERVERS.signed, args);
    let input = b"\0from\nstdin'\xff";
    let texts =
        |more: &[&str]| [args.clone(), more.iter().map(ToString::to_string).collect()].concat();
    let status = "\n%{http_code}";
    let printed = folder.run_with(variables, "fcurl", &texts(&["--print-curl", "--reveal"]), input);
    assert_eq!(printed.code, Some(0), "{args:?}: {}", printed.errors);
    let line = printed.text();
    let script = format!("{} -sS -k -w '{status}'", line.trim_end());
    let theirs = folder.run_with(variables, "sh", &["-s"], script.as_bytes());
    let ours = folder.run_with(variables, "fcurl", &texts(&["-sS", "-w", status, "-k"]), input);
    let about = format!("{args:?}\n{line}{}{}{}", theirs.text(), theirs.errors, ours.errors);
    assert_eq!((theirs.code, ours.code), (Some(0), Some(0)), "{about}");
    assert!(ours.text().ends_with("\n200"), "{}\n{about}", ours.text());
    match line.contains("HEAD") || line.contains("--head") {
        true => assert!(theirs.text().ends_with("\n200"), "{about}"),
        false if args.contains(&"--presign".to_owned()) => {
            // The signatures in the targets differ by their times.
            assert!(theirs.text().ends_with("\n200"), "{about}");
        }
        false => assert_eq!(theirs.text(), ours.text(), "{about}"),
    }
}

fn curl_sends_every_method_with_every_body_by_the_printed_line() {
    let folder = Folder::new();
    let bodies: [&[&str]; 9] = [
        &[],
        &["-d", ""],
        &["-d", "a=1&b='$HOME`\n\\"],
        &["--data-raw", "@lines.txt"],
        &["--json", "{\"名\": \"值\"}"],
        &["--data-binary", "@binary.bin"],
        &["--data-binary", "@-"],
        &["-T", "large.txt"],
        &["-d", "@large.txt", "-d", "@binary.bin"],
    ];
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"];
    for (number, method) in methods.iter().enumerate() {
        for (at, body) in bodies.iter().enumerate() {
            // Each method and each body by each way, if not all of them together.
            let way = WAYS[(number + at) % WAYS.len()];
            check(&folder, &[&["-X", method, "HTTP/a"][..], body, way].concat(), &KEY);
        }
    }
    for way in WAYS {
        for body in bodies {
            check(&folder, &[&["HTTP/a"][..], body, way].concat(), &KEY);
        }
        check(&folder, &[&["-I", "HTTP/a"][..], way].concat(), &KEY);
    }
}

fn curl_sends_every_target_by_the_printed_line() {
    let folder = Folder::new();
    for target in [
        "/你好",
        "/你好?名=值&é=%C3%A9",
        "/it's/$HOME/!x?a='b'&c=`d`",
        "/a\"b\"/<c>?d=\"<e>\"",
        "/a/../b//c/./?d=../e",
        "/[a]{b,c}|^?d=[e]{f}|^",
        "/%E4%BD%A0%e5%a5%bd/%20?a=%20b&c",
    ] {
        for way in WAYS {
            let url = format!("HTTP{target}");
            check(&folder, &[&[url.as_str()][..], way].concat(), &KEY);
            check(&folder, &[&["--path-as-is", &url, "-d", "a"][..], way].concat(), &KEY);
        }
    }
}

fn curl_sends_what_headers_were_given_by_the_printed_line() {
    let folder = Folder::new();
    let headers: [&[&str]; 6] = [
        &["-H", "x-a: it's", "-H", "x-b;", "-H", "x-fc-c: 名"],
        &["-H", "accept:", "-A", ""],
        &["-H", "content-type:", "-d", "a"],
        &["-H", "host: demo.example"],
        &["-H", "content-md5: 1B2M2Y8AsgTpgAmY7PhCfg=="],
        &["--nonce", "--compressed"],
    ];
    for given in headers {
        for way in WAYS {
            if way.is_empty() || !given.contains(&"x-fc-c: 名") {
                check(&folder, &[&["HTTP/a"][..], given, way].concat(), &KEY);
            }
        }
    }
}

fn curl_sends_it_over_tls_and_with_a_token_by_the_printed_line() {
    let folder = Folder::new();
    let key = [(KEY[0].0, TEMPORARY), KEY[1], ("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN)];
    for way in WAYS {
        check(&folder, &[&["HTTPS/你好", "-d", "a"][..], way].concat(), &key);
        check(&folder, &[&["HTTPS/a", "-X", "HEAD", "-d", "a"][..], way].concat(), &key);
        check(&folder, &[&["HTTP/a"][..], way].concat(), &key);
    }
}

fn without_reveal_the_printed_line_is_refused() {
    let folder = Folder::new();
    let printed = folder.run("fcurl", &at(&SERVERS.signed, &["--print-curl", "HTTP/a"]), b"");
    let shell = ["-c".to_owned(), format!("{} -sS -i", printed.text().trim_end())];
    let refused = folder.run("sh", &shell, b"");
    assert!(refused.text().starts_with("HTTP/1.1 403 "), "{}", refused.text());
}
