//! Whatever is logged, series and bytes stay within what the limits say.

use std::time::Duration;

use peak_alloc::PeakAlloc;
use slowlog::{Aggregate, Limits, Reader};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn line(collection: u32, shape: u32, client: u32, millis: u32) -> String {
    format!(
        r#"{{"t":{{"$date":"2026-11-28T20:28:22.013+00:00"}},"s":"I","c":"COMMAND","id":51803,"ctx":"conn{client}","msg":"Slow query","attr":{{"type":"command","ns":"shop.collection_with_a_long_name_{collection}","appName":"app{client}","command":{{"find":"c{collection}","filter":{{"field{shape}":"value{client}"}}}},"planSummary":"COLLSCAN","docsExamined":10,"nreturned":1,"remote":"10.{}.{}.1:{client}","durationMillis":{millis}}}}}"#,
        client % 250,
        client / 250,
    )
}

#[test]
fn thousands_of_collections_shapes_and_clients_stay_within_the_limits() {
    let limits = Limits::default();
    let reader = Reader::new(None);
    let before = ALLOCATOR.current_usage();
    let mut aggregate = Aggregate::new(limits);
    let mut total = 0;
    // Two hours, so that places change hands.
    for second in 0..7200_u32 {
        for part in 0..5 {
            let number = second * 5 + part;
            let text = line(number * 7919 % 5000, number * 104_729 % 5000, number % 1000, 100 + number % 900);
            aggregate.observe(&reader.read(text.as_bytes()), Duration::from_secs(second.into()));
            total += 1;
        }
    }
    let used = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(used <= limits.most_bytes(), "{used} bytes of {}", limits.most_bytes());
    let families = aggregate.families();
    let series: usize = families
        .iter()
        .flat_map(|family| &family.series)
        .map(|series| match &series.value {
            slowlog::families::Value::Number(_) => 1,
            slowlog::families::Value::Histogram { buckets, .. } => buckets.len() + 3,
        })
        .sum();
    assert!(series <= limits.most_series(), "{series} series of {}", limits.most_series());
    let find = |name: &str| families.iter().find(|family| family.name == format!("tidemark_{name}")).unwrap();
    let number = |name: &str| match find(name).series[0].value {
        slowlog::families::Value::Number(number) => number,
        slowlog::families::Value::Histogram { .. } => panic!("{name} is a histogram"),
    };
    assert!(number("slow_namespaces_overflow_total") > f64::from(total) * 0.9);
    assert!(number("slow_shapes_overflow_total") > f64::from(total) * 0.9);
    println!("{used} bytes of {}, {series} series of {}", limits.most_bytes(), limits.most_series());
}
