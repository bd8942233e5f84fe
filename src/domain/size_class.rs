//! Size classes of companies, as their MiPyME certificate states them.
//!
//! The ceilings of sales change about yearly and stand in a reference table, not here.

named_enum! {
    /// How large a company is, by its yearly sales.
    pub enum SizeClass ("a size class", "INVALID_SIZE_CLASS") {
        /// Microempresa.
        Micro = "MICRO",
        /// Pequeña empresa.
        Small = "SMALL",
        /// Mediana empresa, tramo 1.
        Medium1 = "MEDIUM_1",
        /// Mediana empresa, tramo 2.
        Medium2 = "MEDIUM_2",
        /// Above every ceiling.
        Large = "LARGE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_parses_to_itself() {
        for class in SizeClass::ALL {
            assert_eq!(class.to_string().parse::<SizeClass>().unwrap(), *class);
        }
        assert_eq!("MICROEMPRESA".parse::<SizeClass>().unwrap_err().reason, "INVALID_SIZE_CLASS");
    }
}
