//! Rates that a question brings, at which its amounts are converted.
//!
//! Enters: rates with their source and date. Leaves: amounts in one currency, rounded once. There
//! is no rate but those of the question, and none is judged.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::currency::Currency;
use super::exact::Exact;
use super::fault::Fault;

/// Decimals of a converted amount.
pub const DECIMALS: u32 = 4;

/// What one unit of a currency is in another, according to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The currency of the sales.
    pub from: Currency,
    /// The currency of the answer.
    pub to: Currency,
    /// Units of `to` for one unit of `from`; above zero.
    pub rate: Decimal,
    /// Who published it.
    pub source: String,
    /// The day it was published for.
    pub day: Date,
}

/// The rates of a question, all into one currency and each from another; none converts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// These rates.
    ///
    /// # Errors
    /// `INVALID_RATE` if one is not above zero, converts a currency into itself or into another
    /// one than the rest, or stands beside one from the same currency.
    pub fn new(mut rates: Vec<Rate>) -> Result<Self, Fault> {
        rates.sort_by_key(|rate| rate.from);
        let refuse = |why: String| Err(Fault::malformed("INVALID_RATE", why));
        if let Some(rate) = rates.iter().find(|rate| rate.rate <= Decimal::ZERO) {
            return refuse(format!("the rate from {} must be above zero", rate.from));
        }
        if let Some(rate) = rates.iter().find(|rate| rate.from == rate.to) {
            return refuse(format!("{} needs no rate into itself; leave it out", rate.from));
        }
        if let Some(two) = rates.windows(2).find(|two| two[0].from == two[1].from) {
            return refuse(format!("there are two rates from {}; give one", two[0].from));
        }
        if let Some(two) = rates.windows(2).find(|two| two[0].to != two[1].to) {
            return refuse(format!(
                "there are rates into {} and into {}; an answer is in one currency",
                two[0].to, two[1].to
            ));
        }
        Ok(Self(rates))
    }

    /// The currency that all amounts are converted into; `None` where nothing is converted.
    pub fn target(&self) -> Option<Currency> {
        self.0.first().map(|rate| rate.to)
    }

    /// Those that amounts in these currencies need, by currency.
    ///
    /// # Errors
    /// `RATE_MISSING` (metadata `currencies`) if there are rates, but none for one of these.
    pub fn needed<'c>(
        &self,
        currencies: impl IntoIterator<Item = &'c str>,
    ) -> Result<Vec<Rate>, Fault> {
        let Some(target) = self.target() else { return Ok(Vec::new()) };
        let (mut needed, mut missing) = (Vec::new(), Vec::new());
        for currency in currencies {
            match self.0.iter().find(|rate| rate.from.as_str() == currency) {
                Some(rate) => needed.push(rate.clone()),
                None if currency == target.as_str() => {}
                None => missing.push(currency),
            }
        }
        if !missing.is_empty() {
            let missing = missing.join(",");
            return Err(Fault::malformed(
                "RATE_MISSING",
                format!(
                    "there are sales in {missing}, but no rate from there into {target}; give one \
                     with its source and date, or ask for one currency in filter.currency"
                ),
            )
            .at("rates")
            .with("currencies", missing));
        }
        needed.sort_by_key(|rate| rate.from);
        Ok(needed)
    }

    /// What an amount is in the currency of the answer, exactly.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 38 digits.
    pub fn converted(&self, amount: Exact, currency: &str) -> Result<Exact, Fault> {
        match self.0.iter().find(|rate| rate.from.as_str() == currency) {
            Some(rate) => amount.times(rate.rate),
            None => Ok(amount),
        }
    }

    /// The end of a sum of converted amounts: rounded half to even to four decimals where
    /// anything is converted, exact otherwise.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 28 digits.
    pub fn settled(&self, sum: Exact) -> Result<Decimal, Fault> {
        if self.0.is_empty() { sum.decimal() } else { sum.rounded(DECIMALS) }
    }
}

#[cfg(test)]
pub mod tests {
    use jiff::civil::date;

    use super::*;

    /// A rate as `FROM TO RATE`.
    pub fn rate(text: &str) -> Rate {
        let parts: Vec<&str> = text.split(' ').collect();
        let [from, to, rate] = parts[..] else { panic!("not a rate: {text}") };
        Rate {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            rate: rate.parse().unwrap(),
            source: "a central bank".to_owned(),
            day: date(2026, 5, 29),
        }
    }

    #[test]
    fn rates_lead_into_one_currency_each_from_its_own() {
        let rates = |texts: &[&str]| Rates::new(texts.iter().map(|text| rate(text)).collect());
        assert_eq!(rates(&[]).unwrap().target(), None);
        let sound = rates(&["EUR USD 1.08", "CNY USD 0.1389"]).unwrap();
        assert_eq!(sound.target().unwrap().as_str(), "USD");
        for wrong in [
            &["CNY USD 0.1389", "EUR CNY 7"][..],
            &["CNY USD 0.1389", "CNY USD 0.14"],
            &["USD USD 1"],
            &["CNY USD 0"],
            &["CNY USD -1"],
        ] {
            assert_eq!(rates(wrong).unwrap_err().reason, "INVALID_RATE", "{wrong:?}");
        }
    }

    #[test]
    fn a_currency_without_its_rate_is_named() {
        let rates = Rates::new(vec![rate("CNY USD 0.1389"), rate("EUR USD 1.08")]).unwrap();
        let needed = rates.needed(["USD", "CNY"]).unwrap();
        assert_eq!(needed.iter().map(|rate| rate.from.as_str()).collect::<Vec<_>>(), ["CNY"]);
        let fault = rates.needed(["CNY", "GBP", "JPY"]).unwrap_err();
        assert_eq!(fault.reason, "RATE_MISSING");
        assert_eq!(fault.metadata, [("currencies", "GBP,JPY".to_owned())]);
        assert_eq!(Rates::default().needed(["GBP"]).unwrap(), []);
    }

    #[test]
    fn only_the_end_is_rounded() {
        let rates = Rates::new(vec![rate("CNY USD 0.33335")]).unwrap();
        let one = rates.converted(Exact::of(Decimal::ONE), "CNY").unwrap();
        // Rounded one by one, this would be 0.6668 or 0.6666.
        assert_eq!(rates.settled(one.plus(one).unwrap()).unwrap().to_string(), "0.6667");
        let kept = rates.converted(Exact::of(Decimal::TWO), "USD").unwrap();
        assert_eq!(rates.settled(kept).unwrap(), Decimal::TWO);
    }
}
