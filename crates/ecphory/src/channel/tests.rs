use super::*;

fn check(text: &str, canonical: &str) {
    let request: ChannelRequest = text.parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(request.to_string(), canonical);
    assert_eq!(canonical.parse::<ChannelRequest>().unwrap(), request);
}

fn refuse(text: &str, reason: &str) {
    let error = text.parse::<ChannelRequest>().expect_err(text).to_string();
    assert!(error.contains(reason), "{error}\nshould say: {reason}");
}

#[test]
fn round_trips() {
    check("bm25", "bm25");
    check("bm25()", "bm25");
    check(" bm25 ( k1 = 0.9, b=0.75 )", "bm25(b=0.75)");
    check("titles:bm25(fields=title, k1=1.2)", "titles:bm25(fields=title, k1=1.2)");
    check("bm25(analyzer=german)", "bm25(analyzer=german)");
    check("dense=minilm", "dense=minilm");
    check(
        "long:dense=minilm(max_tokens=128,passages=sentences(words=120, overlap=30))",
        "long:dense=minilm(max_tokens=128, passages=sentences(words=120, overlap=30))",
    );
    check("fast:dense=minilm( precision = int8 )", "fast:dense=minilm(precision=int8)");
    check("sparse=splade", "sparse=splade");
    check(
        "s:sparse=\"./splade (x)\"(fields=text,max_tokens=64, precision=f16)",
        "s:sparse=\"./splade (x)\"(fields=text, max_tokens=64, precision=f16)",
    );
    check("dense=minilm(precision=stored)", "dense=minilm(precision=stored)");
    check("dense=./models/mini:lm", "dense=./models/mini:lm");
    check("dense=\"./models (old)/x\"", "dense=\"./models (old)/x\"");
    assert_eq!("bm25".parse::<ChannelRequest>().unwrap(), ChannelRequest::bm25());
}

#[test]
fn says_what_is_wrong() {
    refuse("bm52", "did you mean `bm25`?");
    refuse("dense", "write dense=MODEL");
    refuse("dense=", "write dense=MODEL");
    refuse("sparse", "write sparse=MODEL");
    refuse("spars=m", "did you mean `sparse`?");
    refuse("sparse=m(passages=whole)", "sparse has no option `passages`");
    refuse("sparse=m(precision=int9)", "did you mean `int8`?");
    refuse("bm25=minilm", "bm25 takes no model");
    refuse("hybrid:bm25", "`hybrid`");
    refuse(":bm25", "a name is not empty");
    refuse("bm25(k1=1", "not closed");
    refuse("bm25(k1=1) x", "something follows");
    refuse("bm25(k1)", "name=value");
    refuse("bm25(k1=1,)", "name=value");
    refuse("bm25(k1=1, k1=2)", "twice");
    refuse("bm25(k2=1)", "did you mean `k1`?");
    refuse("dense=m(max_token=1)", "did you mean `max_tokens`?");
    refuse("bm25(b=1.5)", "from 0 to 1");
    refuse("bm25(k1=NaN)", "from 0 on");
    refuse("bm25(analyzer=klingon)", "klingon");
    refuse("dense=m(max_tokens=0)", "from 3 on");
    refuse("dense=m(passages=words)", "words");
    refuse("dense=m(precision=int9)", "did you mean `int8`?");
    refuse("dense=m(precision=4bit)", "only stored, f32, f16, bf16 and int8");
    refuse("dense=m(precison=int8)", "did you mean `precision`?");
    refuse("bm25(precision=int8)", "bm25 has no option `precision`");
    refuse("bm25(fields=title+)", "joined by +");
    refuse("bm25(fields=title+title)", "joined by +");
}
