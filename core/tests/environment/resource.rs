//! The service's name and attributes, and lists of pairs as such.

use std::time::Duration;

use opentracing_http::env::{Resource, Variables};

use super::*;

fn resource(variables: &[(&str, &str)]) -> Resource {
    Resource::read(&Variables::new(&table(variables))).unwrap()
}

#[test]
fn without_variables_the_service_has_no_name() {
    let nothing = resource(&[("OTEL_SERVICE_NAME", " "), ("OTEL_RESOURCE_ATTRIBUTES", "")]);
    assert_eq!(nothing, Resource::default());
    assert_eq!(nothing.service_name(), None);
    assert_eq!(nothing.attributes().count(), 0);
}

#[test]
fn service_name_overrides_the_one_in_the_attributes() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "a=1,service.name=shop,b=2");
    let named = resource(&[attributes, ("OTEL_SERVICE_NAME", " checkout ")]);
    assert_eq!(named.service_name(), Some("checkout"));
    let named = resource(&[attributes, ("OTEL_SERVICE_NAME", "")]);
    assert_eq!(named.service_name(), Some("shop"));
    let others: Vec<_> = named.attributes().collect();
    assert_eq!(others, [("a", "1"), ("b", "2")]);
    let nameless = resource(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=%20")]);
    assert_eq!(nameless, Resource::default());
}

#[test]
fn attributes_are_decoded_and_trimmed_and_keep_their_order() {
    let list = " b = x=y ,a%3Db=1%2C2,,empty=, blank=%20,plus=1+1,€=%e2%82%ac,semi=1;2,";
    let found = resource(&[("OTEL_RESOURCE_ATTRIBUTES", list)]);
    let found: Vec<_> = found.attributes().collect();
    assert_eq!(
        found,
        [
            ("b", "x=y"),
            ("a=b", "1,2"),
            ("empty", ""),
            ("blank", " "),
            ("plus", "1+1"),
            ("€", "€"),
            ("semi", "1;2"),
        ]
    );
}

#[test]
fn the_last_attribute_of_a_key_counts() {
    let found = resource(&[(
        "OTEL_RESOURCE_ATTRIBUTES",
        "a=1,service.name=x,b=2,%61=3,service.name=y",
    )]);
    assert_eq!(found.service_name(), Some("y"));
    assert_eq!(
        found.attributes().collect::<Vec<_>>(),
        [("b", "2"), ("a", "3")]
    );
}

#[test]
fn a_list_of_attributes_that_cannot_be_read_is_named_with_the_remedy() {
    for (list, remedy) in [
        ("a", "write `key=value`"),
        ("a=1,,secret", "pair 2 has no `=`"),
        ("=1", "pair 1 has no key"),
        ("a=1, =1", "pair 2 has no key"),
        ("a=secret%", "a `%` by itself is `%25`"),
        ("a=secret%zz", "a `%` by itself is `%25`"),
        ("%ff=a", "percent-encoded UTF-8"),
    ] {
        let error = Resource::read(&Variables::new(&table(&[
            ("OTEL_RESOURCE_ATTRIBUTES", list),
            ("OTEL_SERVICE_NAME", "checkout"),
        ])))
        .unwrap_err();
        assert_eq!(error.option(), "OTEL_RESOURCE_ATTRIBUTES", "{list}");
        assert!(error.to_string().contains(remedy), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn numbers_and_truth_values_are_parsed_strictly() {
    let variables = [
        ("ZERO", "0"),
        ("SEVEN", " 7 "),
        ("MINUS", "-1"),
        ("HALF", "0.5"),
        ("UNIT", "5s"),
        ("HUGE", "99999999999999999999999"),
        ("BLANK", "  "),
        ("YES", "TrUe"),
        ("NO", "FALSE"),
        ("ONE", "1"),
    ];
    let source = table(&variables);
    let variables = Variables::new(&source);
    assert_eq!(variables.integer("SEVEN", 0), Ok(Some(7)));
    assert_eq!(variables.integer("ZERO", 0), Ok(Some(0)));
    assert_eq!(variables.integer("BLANK", 1), Ok(None));
    assert_eq!(variables.integer("UNSET", 1), Ok(None));
    for (name, least, remedy) in [
        ("ZERO", 1, "0 is too small; give a whole number above 0"),
        ("SEVEN", 8, "give a whole number from 8 on"),
        (
            "MINUS",
            0,
            "`-1` is not a whole number; give a whole number",
        ),
        ("HALF", 0, "give a whole number"),
        ("HUGE", 0, "give a whole number"),
    ] {
        let error = variables.integer(name, least).unwrap_err();
        assert_eq!(error.option(), name);
        assert!(error.to_string().contains(remedy), "{error}");
    }
    assert_eq!(
        variables.milliseconds("SEVEN", 1),
        Ok(Some(Duration::from_millis(7)))
    );
    assert_eq!(variables.milliseconds("ZERO", 0), Ok(Some(Duration::ZERO)));
    assert_eq!(variables.milliseconds("UNSET", 1), Ok(None));
    for name in ["MINUS", "HALF", "UNIT", "HUGE"] {
        let error = variables.milliseconds(name, 0).unwrap_err();
        assert_eq!(error.option(), name);
        assert!(error.to_string().contains("give milliseconds"), "{error}");
    }
    assert!(variables.milliseconds("ZERO", 1).is_err());
    assert_eq!(variables.truth("YES"), Ok(Some(true)));
    assert_eq!(variables.truth("NO"), Ok(Some(false)));
    assert_eq!(variables.truth("UNSET"), Ok(None));
    assert_eq!(variables.truth("ONE").unwrap_err().option(), "ONE");
}
