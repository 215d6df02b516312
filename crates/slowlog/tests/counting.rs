//! What a flood of lines adds up to, whichever of them have places of their own.

use std::collections::HashMap;
use std::time::Duration;

use slowlog::families::Value;
use slowlog::{Aggregate, Limits, Reader};

fn line(collection: u32, shape: u32) -> String {
    format!(
        r#"{{"id":51803,"attr":{{"type":"command","ns":"shop.c{collection}","command":{{"find":"c{collection}","filter":{{"field{shape}":1}}}},"docsExamined":10,"durationMillis":125}}}}"#
    )
}

/// Nothing is counted twice or not at all.
#[test]
fn every_line_counts_once() {
    let reader = Reader::new(None);
    let mut aggregate = Aggregate::new(Limits { namespaces: 3, shapes: 4 });
    for number in 0..512_u32 {
        let text = line(number % 10, number % 7);
        aggregate.observe(&reader.read(text.as_bytes()), Duration::ZERO);
    }
    let mut sums: HashMap<String, f64> = HashMap::new();
    for family in aggregate.families() {
        for series in &family.series {
            if let Value::Number(number) = series.value {
                *sums.entry(family.name.clone()).or_default() += number;
            }
        }
    }
    // Sums of eighths are exact.
    assert_eq!(sums["tidemark_slow_ops_total"].to_string(), "512");
    assert_eq!(sums["tidemark_slow_shape_ops_total"].to_string(), "512");
    assert_eq!(sums["tidemark_slow_op_docs_examined_total"].to_string(), "5120");
    assert_eq!(sums["tidemark_slow_shape_seconds_total"].to_string(), "64");
}
