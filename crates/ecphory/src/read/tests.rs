use std::io::Write;

use ecphory_core::{ErrorKind, Silent, Value};
use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn read(name: &str, content: &[u8], skip_bad: bool) -> Result<Corpus, Error> {
    let folder = folder(&[(name, content)]);
    corpus(folder.path().join(name), &ReadOptions { skip_bad }, &Silent)
}

fn document(name: &str, content: &str) -> Document {
    let mut corpus = read(name, content.as_bytes(), false).unwrap();
    assert_eq!(corpus.documents.len(), 1);
    corpus.documents.remove(0)
}

/// The second line is malformed: refused with its number, or left out with it.
fn check_bad(name: &str, good: &str, bad: &[u8], reason: &str) {
    let content = [good.as_bytes(), b"\n", bad, b"\n"].concat();
    let error = read(name, &content, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let message = error.to_string();
    assert!(message.contains(&format!("{name}, line 2: ")), "{message}");
    assert!(message.contains(reason), "{message}\nshould say: {reason}");
    let corpus = read(name, &content, true).unwrap();
    assert_eq!(corpus.documents.len(), 1);
    assert_eq!(corpus.skipped.len(), 1);
    assert!(corpus.skipped[0].place.ends_with(&format!("{name}:2")), "{:?}", corpus.skipped);
    assert!(corpus.skipped[0].reason.contains(reason), "{:?}", corpus.skipped);
}

#[test]
fn jsonl_fields_keep_their_types() {
    let line = r#"{"_id": 7, "title": "T", "text": "x", "year": 1898, "rank": 0.5, "open": true,
        "none": null, "tags": ["a", 2, null], "metadata": {}, "meta": {"lang": "de", "in": {"n": 1}}}"#;
    let read = document("c.jsonl", &line.replace('\n', " "));
    let expected = Document::new("7")
        .with("title", "T")
        .with("text", "x")
        .with("year", 1898)
        .with("rank", 0.5)
        .with("open", true)
        .with("tags", Value::List(vec!["a".into(), Value::Integer(2)]))
        .with("meta.lang", "de")
        .with("meta.in.n", 1);
    assert_eq!(read, expected);
}

#[test]
fn jsonl_lines_may_be_blank_end_in_crlf_and_begin_with_a_mark() {
    let content =
        "\u{feff}{\"_id\":\"a\",\"text\":\"x\"}\r\n\r\n  \n{\"_id\":\"b\",\"text\":\"y\"}";
    let corpus = read("c.jsonl", content.as_bytes(), false).unwrap();
    let ids: Vec<&str> = corpus.documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn malformed_json_lines_are_named() {
    let check =
        |bad: &[u8], reason| check_bad("c.jsonl", r#"{"_id": "a", "text": "x"}"#, bad, reason);
    check(br#"{"_id": "b", "text": "x""#, "invalid JSON at column 24");
    check(br#"{"_id": "b" "text": "x"}"#, "invalid JSON at column 13: expected `,` or `}`");
    check(b"[1, 2]", "a document is a JSON object, found a list");
    check(br#"{"text": "x"}"#, "`_id` is missing");
    check(br#"{"_id": null, "text": "x"}"#, "`_id` is missing");
    check(br#"{"_id": 1.5, "text": "x"}"#, "`_id` is a string or a whole number, found a fraction");
    check(br#"{"_id": "", "text": "x"}"#, "the id is empty");
    check(br#"{"_id": "a", "text": "y"}"#, "the id `a` was used before, on line 1");
    check(br#"{"_id": "b", "title": " ", "text": ""}"#, "`b` has no text in title or text");
    check(br#"{"_id": "b", "title": null}"#, "has no text in title or text");
    check(br#"{"_id": "b", "text": "x", "text": "y"}"#, "the key `text` comes twice");
    check(br#"{"_id": "b", "text": "x", "a.b": 1, "a": {"b": 2}}"#, "the key `a.b` comes twice");
    check(br#"{"_id": "b", "text": "x", "l": [{}]}"#, "field `l` holds an object");
    check(br#"{"_id": "b", "text": "x", "n": 9223372036854775808}"#, "beyond 64 bits");
    check(b"{\"_id\": \"b\", \"text\": \"\xff\"}", "invalid UTF-8 at byte 23");
}

#[test]
fn a_corpus_without_title_and_text_may_have_its_text_elsewhere() {
    let read = document("c.jsonl", r#"{"_id": "a", "body": "x"}"#);
    assert_eq!(read.text("body"), Some("x"));
}

#[test]
fn gzip_is_seen_by_its_first_bytes() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut lines = Vec::new();
    for i in 0..2000 {
        writeln!(lines, "{{\"_id\":{i},\"text\":\"t{}\"}}", i * i).unwrap();
    }
    gzip.write_all(&lines).unwrap();
    let bytes = gzip.finish().unwrap();
    assert_eq!(read("c.jsonl.gz", &bytes, false).unwrap().documents.len(), 2000);
    let error = read("c.jsonl.gz", &bytes[..bytes.len() / 2], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("c.jsonl.gz from line "), "{error}");
    assert!(read("c.jsonl.gz", &bytes[..bytes.len() / 2], true).is_err());
}

#[test]
fn tsv_has_two_or_three_columns_or_a_header() {
    assert_eq!(document("c.tsv", "1\tx y"), Document::new("1").with("text", "x y"));
    assert_eq!(
        document("c.tsv", "1\tT\tx"),
        Document::new("1").with("title", "T").with("text", "x")
    );
    let named = document("c.tsv", "ID\ttext\tlang\n1\tx\tde\n");
    assert_eq!(named, Document::new("1").with("text", "x").with("lang", "de"));
    assert_eq!(
        document("c.tsv", "docid\ttitle\ttext\n1\tT\t\n"),
        Document::new("1").with("title", "T")
    );
}

#[test]
fn malformed_tsv_lines_are_named() {
    check_bad(
        "c.tsv",
        "1\tx",
        b"2",
        "expected two or three columns (id, text or id, title, text), found 1",
    );
    check_bad("c.tsv", "1\tx", b"1\ty", "the id `1` was used before, on line 1");
    check_bad("c.tsv", "1\tx", b"\ty", "the id is empty");
    check_bad("c.tsv", "1\tx", b"2\t", "no text");
    let error = read("c.tsv", b"id\ttext\n1\tx\ty\n", false).unwrap_err().to_string();
    assert!(error.contains("line 2: expected 2 columns, as the header has, found 3"), "{error}");
    let error = read("c.tsv", b"id\ttext\ttext\n1\tx\ty\n", false).unwrap_err().to_string();
    assert!(error.contains("line 1: the key `text` comes twice"), "{error}");
}

#[test]
fn a_folder_is_read_in_the_order_of_its_paths() {
    let folder = folder(&[
        ("b.txt", b"plain text\n"),
        ("a/z.md", b"# Title\n\nBody with *emphasis* and `code`.\n"),
        ("a/b/c.HTML", b"<title>Page</title><body><p>Hello</p></body>"),
        ("a/image.png", b"\x89PNG"),
        (".hidden.txt", b"x"),
        (".git/c.txt", b"x"),
        ("Makefile", b"all:"),
    ]);
    let corpus = corpus(folder.path(), &ReadOptions::default(), &Silent).unwrap();
    let expected = [
        Document::new("a/b/c.HTML").with("title", "Page").with("text", "Hello"),
        Document::new("a/z.md").with("title", "Title").with("text", "Body with emphasis and code."),
        Document::new("b.txt").with("text", "plain text"),
    ];
    assert_eq!(corpus.documents, expected);
    assert_eq!(corpus.ignored, 4);
}

#[test]
fn bad_files_of_a_folder_are_named() {
    let folder = folder(&[("a.txt", b"x"), ("b.txt", b"ab\xff"), ("c.md", b"\n\n")]);
    let error = corpus(folder.path(), &ReadOptions::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("b.txt: invalid UTF-8 at byte 3"), "{error}");
    let corpus = corpus(folder.path(), &ReadOptions { skip_bad: true }, &Silent).unwrap();
    assert_eq!((corpus.documents.len(), corpus.skipped.len()), (1, 2));
}

#[test]
fn markdown_becomes_lines_of_text() {
    let source = "---\nlayout: x\n---\nIntro\nline two\n\n## Head *one*\n\n- item\n  - nested\n- item2\n\n\
        ```rust\nfn x() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>raw</div>\n\n## Second\n\n[link](http://x) end\\\nbreak";
    let page = markdown::plain(source);
    assert_eq!(page.title, "Head one");
    assert_eq!(
        page.text,
        "Intro line two\nitem\nnested\nitem2\nfn x() {}\na b\n1 2\nSecond\nlink end\nbreak"
    );
}

#[test]
fn html_leaves_out_what_is_not_read() {
    let source = "<html><head><title> A\n title </title><style>p{}</style></head><body>\
        <nav><ul><li>Home</li></ul></nav><h1>Head</h1><p>One <b>bo</b>ld&amp; <br>two</p>\
        <script>var x;</script><div><p>three</p><noscript>no</noscript></div>tail<!-- c --></body></html>";
    let page = html::plain(source);
    assert_eq!(page.title, "A title");
    assert_eq!(page.text, "Head\nOne bold&\ntwo\nthree\ntail");
    assert_eq!(html::plain("<h1>Only</h1><p>x</p>").title, "Only");
    let deep = format!("{}x", "<div>".repeat(20_000));
    assert_eq!(html::plain(&deep).text, "x");
}

#[test]
fn nothing_to_read_is_an_error() {
    assert_eq!(read("c.jsonl", b"\n", false).unwrap_err().kind(), ErrorKind::Input);
    let error = read("c.jsonl", b"{}\n", true).unwrap_err().to_string();
    assert!(error.contains("holds no documents (1 were left out)"), "{error}");
    let error = read("c.dat", b"a b c", false).unwrap_err().to_string();
    assert!(error.contains("no known format"), "{error}");
    assert_eq!(read("c.dat", b" {\"_id\":1,\"text\":\"x\"}", false).unwrap().documents.len(), 1);
    let missing = corpus("/nowhere/c.jsonl", &ReadOptions::default(), &Silent).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("/nowhere/c.jsonl"), "{missing}");
}

#[test]
fn reading_stops_on_request() {
    struct Stop;
    impl Progress for Stop {
        fn begin(&self, _: &str, _: u64) {}
        fn advance(&self, _: u64) {}
        fn end(&self) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let folder = folder(&[("a.txt", b"x")]);
    let error = corpus(folder.path(), &ReadOptions::default(), &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn documents_are_handed_over_as_they_come() {
    let lines = "{\"_id\":1,\"text\":\"x\"}\n\n{\"_id\":2,\"text\":\"y\"}\nbad\n{\"_id\":3,\"text\":\"z\"}\n";
    let folder = folder(&[("c.jsonl", lines.as_bytes())]);
    let path = folder.path().join("c.jsonl");
    let run = |skip_bad, most: usize| {
        let mut taken = Vec::new();
        let options = ReadOptions { skip_bad };
        let read = documents(&path, &options, &Silent, &mut |document, place| {
            if taken.len() == most {
                return Err(Error::Interrupted { doing: "taking" });
            }
            taken.push((document.id, place.line.unwrap()));
            Ok(())
        });
        (read, taken)
    };
    // Reading ends where the sink says so, before the malformed line.
    let (read, taken) = run(false, 1);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(taken, [("1".to_owned(), 1)]);
    // What stands before a malformed line has been handed over.
    let (read, taken) = run(false, 9);
    assert!(read.unwrap_err().to_string().contains("line 4"));
    assert_eq!(taken.len(), 2);
    let (read, taken) = run(true, 9);
    let read = read.unwrap();
    assert_eq!((read.documents, read.skipped.len()), (3, 1));
    assert_eq!(taken[2], ("3".to_owned(), 5));
}

#[test]
fn a_line_that_is_too_long_is_named_and_passed_over() {
    let long = format!("{{\"_id\":2,\"text\":\"{}\"}}", "x ".repeat(200_000));
    let fits = format!("{{\"_id\":3,\"text\":\"{}\"}}", "x".repeat(80));
    assert_eq!(fits.len() + 1, 100);
    let lines = format!("{{\"_id\":1,\"text\":\"x\"}}\n{long}\n{fits}\n{long}");
    let folder = folder(&[("c.jsonl", lines.as_bytes())]);
    let path = folder.path().join("c.jsonl");
    for (skip_bad, taken, skipped) in [(true, 2, 2), (false, 1, 0)] {
        let mut ignore = |_: Document, _: &Place| Ok(());
        let mut reading = Reading::new(&path, ReadOptions { skip_bad }, &Silent, &mut ignore);
        reading.line_bytes_max = 100;
        let read = jsonl::read(&path, lines.len() as u64, &mut reading);
        assert_eq!(read.is_err(), !skip_bad);
        if let Err(error) = read {
            assert!(error.to_string().contains("line 2: the line has 400020 bytes"), "{error}");
        }
        assert_eq!(reading.summary.documents, taken);
        assert_eq!(reading.summary.skipped.len(), skipped);
    }
}
