//! Command lines that curl and fcurl are given alike. Only the server differs: fcurl's asks for a
//! signature, and for a digest of the body in it.

use crate::programs::{Folder, Outcome, at};
use crate::server::{SERVERS, Server};
use crate::setup::named;

pub fn tests() -> [(&'static str, fn()); 6] {
    named![
        requests_are_made_of_the_same_flags,
        answers_are_written_as_curl_writes_them,
        it_ends_with_the_exit_code_of_curl,
        redirects_to_the_same_origin_are_followed_alike_and_signed_anew,
        tls_and_http2_are_spoken_alike,
        at_the_end_it_prints_what_curl_prints,
    ]
}

#[track_caller]
fn compare(lines: &[&[&str]]) {
    let mut faults = Vec::new();
    for args in lines {
        let args = match args.iter().any(|arg| arg.starts_with("-A")) {
            true => args.to_vec(),
            false => [args, &["-A", "tester"][..]].concat(),
        };
        let run = |program: &str, server: &Server| {
            let outcome = Folder::new().run(program, &at(server, &args), b"from\nstdin");
            (shown(&outcome, server, args.iter().any(|arg| arg.starts_with("-s"))), outcome.errors)
        };
        let (theirs, their_errors) = run("curl", &SERVERS.open);
        let (ours, our_errors) = run("fcurl", &SERVERS.signed);
        if theirs != ours {
            faults.push(format!(
                "{args:?}\n--- curl\n{theirs}\n{their_errors}\n--- fcurl\n{ours}\n{our_errors}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// An outcome as text, without what has to differ: ports, dates, and the case of hexadecimal
/// digits, which depends on the version of curl.
fn shown(outcome: &Outcome, server: &Server, has_errors: bool) -> String {
    let same = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let text = text.replace(&server.plain.port().to_string(), "PORT");
        let text = text.replace(&server.tls.port().to_string(), "TLS-PORT");
        let lines = text.split('\n').filter(|line| !line.starts_with("date: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut text = format!("exit code {:?}\n{}", outcome.code, same(&outcome.out));
    for (name, content) in &outcome.files {
        text += &format!("\nfile {name}\n{}", same(content));
    }
    if has_errors {
        text += &format!("\nsays something: {}", !outcome.errors.is_empty());
    }
    text
}

fn requests_are_made_of_the_same_flags() {
    compare(&[
        &["HTTP"],
        &["HOST/a/b"],
        &["HOST?a=1"],
        &["HTTP/a/../b/./c?d=/../e#f"],
        &["--path-as-is", "HTTP/a/../b/./c"],
        &["-g", "HTTP/a[1]{b,c}"],
        &["HTTP/%20/a+b;c?d+e=%c3%A9&f=~g"],
        &["HTTP/你好/é"],
        &["-d", "a=1", "HTTP/a"],
        &["-d", "a=1", "-d", "b=2", "--data-raw", "@c", "HTTP/a"],
        &["-d", "", "HTTP/a"],
        &["-d", "@lines.txt", "HTTP/a"],
        &["-d", "@-", "HTTP/a"],
        &["-d@lines.txt", "--data-binary", "@lines.txt", "HTTP/a"],
        &["--data-binary", "@binary.bin", "HTTP/a"],
        &["--data-binary", "@-", "HTTP/a"],
        &["--data-urlencode", "a=b c&d~é/", "--data-urlencode", "=e=f", "HTTP/a"],
        &["--data-urlencode", "just this", "--data-urlencode", "n@lines.txt", "HTTP/a"],
        &["--data-urlencode", "@lines.txt", "HTTP/a"],
        &["--json", "{\"a\":", "--json", "1}", "HTTP/a"],
        &["--json", "{}", "-H", "accept: text/plain", "HTTP/a"],
        &["--json", "1", "-d", "2", "HTTP/a"],
        &["-d", "1", "--json", "2", "HTTP/a"],
        &["-G", "HTTP/a", "-d", "b=1", "-d", "c=2"],
        &["-G", "HTTP/a?b", "--data-urlencode", "c=d e"],
        &["-G", "HTTP/a?b&", "-d", "c"],
        &["-G", "HTTP", "-d", "c"],
        &["-G", "HTTP/a"],
        &["-G", "-X", "POST", "HTTP/a", "-d", "b"],
        &["-T", "lines.txt", "HTTP/up/"],
        &["-T", "lines.txt", "HTTP/up?a=/"],
        &["-T", "lines.txt", "HTTP"],
        &["-T", "large.txt", "HTTP/up"],
        &["-T", "-", "HTTP/up/"],
        &["-T", "lines.txt", "-X", "POST", "HTTP/up"],
        &["-X", "DELETE", "HTTP/a"],
        &["-X", "PURGE", "-d", "a", "HTTP/a"],
        &["-X", "OPTIONS", "HTTP/a"],
        &["-X", "PUT", "-X", "PATCH", "HTTP/a"],
        &["-H", "x-a: 1", "-H", "X-B;", "-H", "x-a:2", "HTTP/a"],
        &["-H", "accept:", "-H", "user-agent:", "HTTP/a"],
        &["-H", "content-type:", "-d", "a", "HTTP/a"],
        &["-H", "Content-Type: text/x", "-d", "a", "HTTP/a"],
        &["-H", "@headers.txt", "HTTP/a"],
        &["-H", "user-agent: other", "HTTP/a"],
        &["-A", "a tester", "HTTP/a"],
        &["-A", "", "HTTP/a"],
        &["-H", "host: demo.example", "HTTP/a"],
    ]);
}

fn answers_are_written_as_curl_writes_them() {
    compare(&[
        &["-i", "HTTP/a"],
        &["-I", "HTTP/a"],
        &["-I", "-G", "-d", "a=1", "HTTP/a"],
        &["-i", "-X", "OPTIONS", "HTTP/a"],
        &["-i", "HTTP/status/204"],
        &["-i", "HTTP/status/299"],
        &["HTTP/status/500"],
        &["-o", "file", "HTTP/a"],
        &["-o", "-", "HTTP/a"],
        &["-o", "file", "-i", "HTTP/a"],
        &["-I", "-o", "file", "HTTP/a"],
        &["-o", "file", "HTTP/status/204"],
        &["-O", "HTTP/a/name?b=/c"],
        &["-s", "-O", "HTTP/a/name"],
        &["-O", "HTTP/a/"],
        &["-O", "HTTP"],
        &["-sf", "HTTP/status/404"],
        &["-sSf", "HTTP/status/404"],
        &["-f", "-i", "HTTP/status/404"],
        &["-f", "-o", "file", "HTTP/status/503"],
        &["-f", "HTTP/status/302"],
        &["-s", "--fail-with-body", "HTTP/status/400"],
        &["-sS", "--fail-with-body", "-o", "file", "HTTP/status/399"],
        &["-s", "--compressed", "-H", "accept-encoding: x", "HTTP/coded/gzip"],
        &["-s", "--compressed", "-H", "accept-encoding: x", "HTTP/coded/zlib"],
        &["-s", "--compressed", "-H", "accept-encoding: x", "HTTP/coded/raw"],
        &["-s", "HTTP/coded/gzip"],
        &["-sI", "--compressed", "HTTP/coded/gzip"],
        &["-sS", "--compressed", "HTTP/coded/broken"],
        &["-sS", "--compressed", "HTTP/coded/unknown"],
    ]);
}

fn it_ends_with_the_exit_code_of_curl() {
    compare(&[
        &["-s"],
        &["-s", "--no-such-flag", "HTTP"],
        &["-I", "-d", "a", "HTTP"],
        &["-T", "lines.txt", "-d", "a", "HTTP"],
        &["-s", "-m", "soon", "HTTP"],
        &["-s", ""],
        &["-s", "http://"],
        &["-s", "HTTP/a b"],
        &["-s", "http://127.0.0.1:99999/"],
        &["-s", "foo://127.0.0.1/"],
        &["-sS", "http://nowhere.invalid/"],
        &["-sS", "CLOSED"],
        &["-sS", "HTTP", "-o", "no-such-folder/file"],
        &["-sS", "HTTP", "-o", "/dev/full"],
        &["-sS", "-T", "no-such-file", "HTTP"],
        &["-sS", "-m", "0.3", "MUTE"],
        &["-s", "-m", "0.3", "MUTE"],
        &["-sS", "GONE"],
        &["-sS", "RESET"],
        &["-sS", "GARBAGE"],
        &["-sS", "HTTP/cut"],
        &["-sS", "-o", "file", "HTTP/cut"],
        &["-sS", "HTTP/cut/chunked"],
        &["-sS", "--http2-prior-knowledge", "HTTP/cut"],
        &["-sS", "-L", "HTTP/redirect/302?foo://127.0.0.1/"],
    ]);
}

fn redirects_to_the_same_origin_are_followed_alike_and_signed_anew() {
    compare(&[
        &["HTTP/redirect/302?/a"],
        &["-L", "HTTP/redirect/302?/a"],
        &["-L", "HTTP/redirect/302?b?c#d"],
        &["-L", "HTTP/redirect/302?//HOST/a"],
        &["-L", "HTTP/redirect/302?HTTP/redirect/301?/a"],
        &["-L", "-i", "HTTP/redirect/302?/a"],
        &["-L", "-I", "HTTP/redirect/302?/a"],
        &["-L", "-d", "a", "HTTP/redirect/301?/a"],
        &["-L", "-d", "a", "HTTP/redirect/303?/a"],
        &["-L", "-d", "a", "HTTP/redirect/307?/a"],
        &["-L", "--json", "{}", "HTTP/redirect/308?/a"],
        &["-L", "-X", "PUT", "-d", "a", "HTTP/redirect/302?/a"],
        &["-L", "-X", "POST", "HTTP/redirect/302?/a"],
        &["-L", "-T", "lines.txt", "HTTP/redirect/302?/a"],
        &["-L", "-T", "lines.txt", "HTTP/redirect/303?/a"],
        &["-L", "HTTP/redirect/304?/a"],
        &["-sS", "-L", "--max-redirs", "0", "HTTP/redirect/302?/a"],
        &["-sS", "-L", "--max-redirs", "1", "HTTP/redirect/302?/redirect/302?/a"],
        &["-sS", "-L", "--max-redirs", "2", "HTTP/redirect/302?/redirect/302?/a"],
        &["-L", "-k", "HTTPS/redirect/302?/a"],
        &["-L", "-o", "file", "HTTP/redirect/302?/a"],
        &["-L", "-w", "%{num_redirects} %{url_effective}", "HTTP/redirect/302?/a"],
        &["-w", "%{redirect_url}", "HTTP/redirect/302?b"],
    ]);
}

fn tls_and_http2_are_spoken_alike() {
    compare(&[
        &["-k", "HTTPS/a"],
        &["-k", "-i", "HTTPS/a"],
        &["-k", "-d", "a", "HTTPS/a"],
        &["-k", "-T", "large.txt", "HTTPS/a"],
        &["-k", "-i", "--http1.1", "HTTPS/a"],
        &["-k", "-i", "--http2", "HTTPS/a"],
        &["--cacert", "ca.pem", "-w", "%{http_version} %{scheme}", "HTTPS/a"],
        &["--http2-prior-knowledge", "-i", "-d", "a", "HTTP/a"],
        &["--http2-prior-knowledge", "-I", "HTTP/a"],
        &["-k", "-H", "host: demo.example", "HTTPS/a"],
        &["-sS", "HTTPS/a"],
        &["-sS", "--cacert", "no-such-file", "HTTPS/a"],
        &["-sS", "--cacert", "lines.txt", "HTTPS/a"],
        &["-sS", "https://HOST/a"],
    ]);
}

fn at_the_end_it_prints_what_curl_prints() {
    compare(&[
        &[
            "-w",
            "%{http_code} %{response_code} %{method} %{content_type}\\n%{num_headers} %{size_header}",
            "HTTP/a",
        ],
        &[
            "-w",
            "%{size_download} %{size_upload} %{num_connects} 100%% \\t|\\r|",
            "-d",
            "abc",
            "HTTP/a",
        ],
        &["-w", "%{url} %{url_effective} %{urlnum} %{scheme} %{http_version}", "HOST/a"],
        &["-w", "%header{content-type} %header{no-such}", "-o", "file", "HTTP/a"],
        &["-w", "%{filename_effective} %{exitcode} [%{errormsg}]", "-o", "file", "HTTP/a"],
        &["-w", "%{stderr}a%{stdout}b", "HTTP/a"],
        &["-w", "%{onerror}a", "HTTP/a"],
        &["-sw", "%{onerror}%{exitcode} %{http_code}", "CLOSED"],
        &["-sw", "%{exitcode} %{http_code} %{http_version}", "-f", "HTTP/status/404"],
        &["-w", "%{remote_ip} %{ssl_verify_result} %{no_such} % %{a \\x", "HTTP/a"],
    ]);
}
