//! Thrift's compact protocol, as far as Parquet's footer needs it: writing only.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// A value of a field or a list.
pub(super) enum Thrift {
    I32(i32),
    I64(i64),
    Binary(Vec<u8>),
    List(Vec<Thrift>),
    /// Fields by ascending id.
    Struct(Vec<(i16, Thrift)>),
}

impl Thrift {
    pub fn text(text: &str) -> Self {
        Thrift::Binary(text.as_bytes().to_vec())
    }

    /// Appends the value. Its nesting is that of the code that built it, a handful of levels.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Thrift::I32(value) => put_zigzag(i64::from(*value), out),
            Thrift::I64(value) => put_zigzag(*value, out),
            Thrift::Binary(bytes) => {
                put_varint(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
            Thrift::List(items) => {
                let kind = items.first().map_or(12, Thrift::kind);
                if items.len() < 15 {
                    out.push((items.len() as u8) << 4 | kind);
                } else {
                    out.push(0xf0 | kind);
                    put_varint(items.len() as u64, out);
                }
                for item in items {
                    item.put(out);
                }
            }
            Thrift::Struct(fields) => {
                let mut before = 0;
                for (id, value) in fields {
                    let step = id - before;
                    assert!((1..16).contains(&step), "ids ascend in steps that fit the short form");
                    out.push((step as u8) << 4 | value.kind());
                    value.put(out);
                    before = *id;
                }
                out.push(0);
            }
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Thrift::I32(_) => 5,
            Thrift::I64(_) => 6,
            Thrift::Binary(_) => 8,
            Thrift::List(_) => 9,
            Thrift::Struct(_) => 12,
        }
    }
}

fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Appends a number, seven bits a byte, the low ones first.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_specification_says() {
        let put = |value: Thrift| {
            let mut out = Vec::new();
            value.put(&mut out);
            out
        };
        assert_eq!(put(Thrift::I32(50399)), [0xbe, 0x93, 0x06]);
        assert_eq!(put(Thrift::I64(-1)), [1]);
        assert_eq!(put(Thrift::text("hi")), [2, b'h', b'i']);
        let list = |count| Thrift::List((0..count).map(Thrift::I32).collect());
        assert_eq!(put(list(2)), [0x25, 0, 2]);
        assert_eq!(put(list(15))[..3], [0xf5, 15, 0]);
        let fields = vec![(1, Thrift::I32(1)), (3, Thrift::Struct(Vec::new()))];
        assert_eq!(put(Thrift::Struct(fields)), [0x15, 2, 0x2c, 0, 0]);
    }
}
