use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn parses_what_it_prints(text in "-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,6})?") {
        let quantity: Quantity = text.parse().unwrap();
        prop_assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
        prop_assert_eq!(quantity.value(), Decimal::from_str_exact(&text).unwrap());
    }

    #[test]
    fn it_prints_as_decimals_do(mantissa: i64, scale in 0u32..20) {
        let value = Decimal::new(mantissa, scale).normalize();
        prop_assert_eq!(Quantity::of(value).to_string(), value.to_string());
    }

    #[test]
    fn an_amount_is_the_exact_product(q in -999_999i64..999_999, p in 0i64..999_999_999) {
        let quantity = Quantity::of(Decimal::new(q, 3));
        let price = UnitPrice(Decimal::new(p, 6).normalize());
        let amount = quantity.times(price).unwrap();
        prop_assert_eq!(amount.value(), Decimal::from_i128_with_scale(
            i128::from(q) * i128::from(p), 9));
        prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
    }

    #[test]
    fn sums_do_not_depend_on_order(parts in proptest::collection::vec(any::<i32>(), 0..20)) {
        let amounts = parts.iter().map(|p| Amount::of(Decimal::new(i64::from(*p), 4)));
        let there = amounts.clone().try_fold(Amount::ZERO, Amount::plus).unwrap();
        let back = amounts.rev().try_fold(Amount::ZERO, Amount::plus).unwrap();
        prop_assert_eq!(there.to_string(), back.to_string());
    }

    #[test]
    fn no_text_panics(text in ".{0,45}|[-0-9.]{0,45}") {
        let _ = (text.parse::<Quantity>(), text.parse::<Amount>());
    }
}

#[test]
fn it_prints_as_decimals_do_at_the_edges() {
    let beyond = Decimal::from_str_exact("-79228162514264337593543950.335").unwrap();
    for value in [Decimal::ZERO, -Decimal::ZERO, Decimal::ONE, -Decimal::ONE, beyond] {
        assert_eq!(Quantity(value).to_string(), value.to_string());
    }
    assert_eq!(format!("{:>8}", Quantity::of(Decimal::new(-5, 2))), "   -0.05");
}

#[test]
fn only_plain_decimals_are_taken() {
    for text in [
        "",
        "-",
        ".",
        "+1",
        "1.",
        ".5",
        "1e3",
        "1,5",
        " 1",
        "1 ",
        "--1",
        "1.2.3",
        "0x1",
        "NaN",
        "1.1234567",
        "1234567890123",
        "١",
    ] {
        assert_eq!(text.parse::<Quantity>().unwrap_err().reason, "INVALID_QUANTITY", "{text}");
    }
    assert_eq!("-0".parse::<Quantity>().unwrap().to_string(), "0");
    assert_eq!("007.10".parse::<Quantity>().unwrap().to_string(), "7.1");
    assert_eq!("0".parse::<Factor>().unwrap_err().reason, "INVALID_FIELD");
}

#[test]
fn what_does_not_fit_is_a_fault_and_not_rounded() {
    let most: Quantity = "999999999999.999999".parse().unwrap();
    let price: UnitPrice = "999999999999.999999".parse().unwrap();
    assert_eq!(most.times(price).unwrap_err().reason, "AMOUNT_OUT_OF_RANGE");
    let fine: UnitPrice = "0.0000000001".parse().unwrap();
    let part: Quantity = "0.5".parse().unwrap();
    assert_eq!(part.times(fine).unwrap_err().reason, "AMOUNT_OUT_OF_RANGE");
    assert_eq!("2".parse::<Quantity>().unwrap().times(fine).unwrap().to_string(), "0.0000000002");
    let large = Amount::of(Decimal::MAX);
    let small: Amount = "0.1".parse().unwrap();
    assert_eq!(large.plus(small).unwrap_err().reason, "AMOUNT_OUT_OF_RANGE");
    assert_eq!(-Quantity::ZERO, Quantity::ZERO);
}
