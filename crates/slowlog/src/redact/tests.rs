use super::*;

fn shape(command: &str) -> Option<String> {
    shape_of(serde_json::from_str(command).unwrap())
}

#[test]
fn values_become_the_names_of_their_types() {
    let command = r#"{"find":"orders","filter":{"total":{"$gt":100,"$lt":2.5},"note":"geheim","at":{"$date":"2024-01-01T00:00:00Z"},
        "by":{"$oid":"65a"},"u":{"$uuid":"x"},"n":{"$numberDecimal":"1.5"},"gone":null,"on":true,"b":{"$binary":{"base64":"eHg=","subType":"0"}},
        "re":{"$regularExpression":{"pattern":"^ab","options":""}},"like":{"$regex":"^secret"}},"$db":"shop","lsid":{"id":{"$uuid":"y"}}}"#;
    let expected = r#"{"find":"orders","filter":{"total":{"$gt":"number","$lt":"number"},"note":"string","at":"date","by":"objectId","u":"uuid","n":"number","gone":"null","on":"bool","b":"binary","re":"regex","like":{"$regex":"string"}}}"#;
    assert_eq!(shape(command).unwrap(), expected);
}

#[test]
fn a_long_list_has_the_shape_of_a_short_one() {
    let short = shape(r#"{"find":"c","filter":{"_id":{"$in":[1]}}}"#).unwrap();
    assert_eq!(short, r#"{"find":"c","filter":{"_id":{"$in":["number"]}}}"#);
    let many: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    assert_eq!(shape(&format!(r#"{{"find":"c","filter":{{"_id":{{"$in":[{}]}}}}}}"#, many.join(","))).unwrap(), short);
    assert_eq!(
        shape(r#"{"find":"c","filter":{"x":{"$in":["a",1,"b",2,null]}}}"#).unwrap(),
        r#"{"find":"c","filter":{"x":{"$in":["string","number","null"]}}}"#
    );
    assert_eq!(shape(r#"{"find":"c","filter":{"x":[]}}"#).unwrap(), r#"{"find":"c","filter":{"x":[]}}"#);
}

#[test]
fn stages_of_a_pipeline_are_all_kept() {
    let command = r#"{"aggregate":"orders","pipeline":[{"$match":{"a":"x"}},{"$group":{"_id":"$customer","n":{"$sum":1}}},
        {"$sort":{"n":-1}},{"$match":{"a":"y"}}],"cursor":{}}"#;
    let expected = r#"{"aggregate":"orders","pipeline":[{"$match":{"a":"string"}},{"$group":{"_id":"string","n":{"$sum":"number"}}},{"$sort":{"n":-1}}],"cursor":{}}"#;
    assert_eq!(shape(command).unwrap(), expected);
}

#[test]
fn directions_of_sorts_are_part_of_the_shape_and_nothing_else_is() {
    assert_ne!(shape(r#"{"find":"c","sort":{"a":1}}"#), shape(r#"{"find":"c","sort":{"a":-1}}"#));
    assert_eq!(shape(r#"{"find":"c","limit":1,"skip":0}"#), shape(r#"{"find":"c","limit":700,"skip":9}"#));
    assert_eq!(shape(r#"{"find":"c","sort":{"a":12345}}"#).unwrap(), r#"{"find":"c","sort":{"a":"number"}}"#);
}

#[test]
fn what_is_no_command_has_no_shape() {
    for command in ["\"###\"", "5", "null", "[]", r#"{"$date":5}"#] {
        assert_eq!(shape(command), None, "{command}");
    }
    assert_eq!(shape("{}").unwrap(), "{}");
    assert_eq!(shape(r#"{"createUser":"alice"}"#).unwrap(), r#"{"createUser":"string"}"#);
    assert_eq!(shape(r#"{"hello":1}"#).unwrap(), r#"{"hello":"number"}"#);
    assert_eq!(
        shape(r#"{"q":{"a":1},"u":{"$set":{"b":"x"}}}"#).unwrap(),
        r#"{"q":{"a":"number"},"u":{"$set":{"b":"string"}}}"#
    );
}

#[test]
fn length_and_depth_are_bounded() {
    let wide: Vec<String> = (0..10_000).map(|n| format!("\"field{n}\":\"v\"")).collect();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(110), "}".repeat(110));
    for filter in [format!("{{{}}}", wide.join(",")), deep, format!(r#"{{"{}":1}}"#, "ü".repeat(5000))] {
        let shape = shape(&format!(r#"{{"find":"c","filter":{filter}}}"#)).unwrap();
        assert!(shape.len() <= LONGEST_SHAPE + "…".len(), "{}", shape.len());
    }
    let unreadable = format!(r#"{{"find":"c","filter":{}1{}}}"#, r#"{"a":"#.repeat(200), "}".repeat(200));
    assert!(shape(&unreadable).is_some());
}

#[test]
fn a_name_is_one_only_in_the_command_that_has_it() {
    assert_eq!(shape(r#"{"distinct":"c","key":"a.b"}"#).unwrap(), r#"{"distinct":"c","key":"a.b"}"#);
    assert_eq!(shape(r#"{"getMore":7,"collection":"c"}"#).unwrap(), r#"{"getMore":"number","collection":"c"}"#);
    let other = r#"{"find":"c","key":"geheim","collection":"geheim"}"#;
    assert_eq!(shape(other).unwrap(), r#"{"find":"c","key":"string","collection":"string"}"#);
}

proptest::proptest! {
    #[test]
    fn names_are_written_as_json_writes_them(name: String, plain in "[ -~äß]{0,20}") {
        for name in [&name, &plain] {
            let mut out = String::new();
            write_quoted(&mut out, name, "");
            assert_eq!(out, serde_json::to_string(name).unwrap());
        }
    }
}
