//! Places: provinces of Argentine sellers, countries and regions of buyers.
//!
//! Enters: codes of ISO 3166, or the tax authority's own numbers. Leaves: parsed places.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

macro_rules! provinces {
    ($( $Variant:ident = $code:literal, $tax_id:literal, $name:literal; )+) => {
        named_enum! {
            /// A province of Argentina or the autonomous city, by ISO 3166-2.
            pub enum Province ("a province of Argentina by ISO 3166-2", "INVALID_PROVINCE") {
                $(
                    #[doc = $name]
                    $Variant = $code
                ),+
            }
        }

        impl Province {
            /// Its name in Spanish.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Variant => $name ),+ }
            }

            /// The number that the tax authority gives it.
            pub const fn tax_authority_id(self) -> u8 {
                match self { $( Self::$Variant => $tax_id ),+ }
            }

            /// The province with this number of the tax authority.
            pub const fn from_tax_authority_id(id: u8) -> Option<Self> {
                match id { $( $tax_id => Some(Self::$Variant), )+ _ => None }
            }
        }
    };
}

provinces! {
    CiudadDeBuenosAires = "AR-C", 0, "Ciudad Autónoma de Buenos Aires";
    BuenosAires = "AR-B", 1, "Buenos Aires";
    Catamarca = "AR-K", 2, "Catamarca";
    Cordoba = "AR-X", 3, "Córdoba";
    Corrientes = "AR-W", 4, "Corrientes";
    EntreRios = "AR-E", 5, "Entre Ríos";
    Jujuy = "AR-Y", 6, "Jujuy";
    Mendoza = "AR-M", 7, "Mendoza";
    LaRioja = "AR-F", 8, "La Rioja";
    Salta = "AR-A", 9, "Salta";
    SanJuan = "AR-J", 10, "San Juan";
    SanLuis = "AR-D", 11, "San Luis";
    SantaFe = "AR-S", 12, "Santa Fe";
    SantiagoDelEstero = "AR-G", 13, "Santiago del Estero";
    Tucuman = "AR-T", 14, "Tucumán";
    Chaco = "AR-H", 16, "Chaco";
    Chubut = "AR-U", 17, "Chubut";
    Formosa = "AR-P", 18, "Formosa";
    Misiones = "AR-N", 19, "Misiones";
    Neuquen = "AR-Q", 20, "Neuquén";
    LaPampa = "AR-L", 21, "La Pampa";
    RioNegro = "AR-R", 22, "Río Negro";
    SantaCruz = "AR-Z", 23, "Santa Cruz";
    TierraDelFuego = "AR-V", 24, "Tierra del Fuego, Antártida e Islas del Atlántico Sur";
}

/// A country by ISO 3166-1 alpha-2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// All of them, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().map(|code| Self(**code))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CountryCode {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match <[u8; 2]>::try_from(text.as_bytes()) {
            Ok(code) if COUNTRIES.binary_search(&&code).is_ok() => Ok(Self(code)),
            _ => Err(Fault::malformed(
                "INVALID_DESTINATION",
                format!(
                    "{} is not a country of ISO 3166-1; give its two capital letters, as CN",
                    quoted(text)
                ),
            )),
        }
    }
}

serde_as_text!(CountryCode);

/// A country, or a region of one by ISO 3166-2: `CN`, `CN-SH`. That the country exists is
/// checked; of the region only the form, as its codes change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    country: CountryCode,
    region: [u8; 3],
    region_length: u8,
}

impl Destination {
    /// The country.
    pub fn country(self) -> CountryCode {
        self.country
    }

    /// The part after the hyphen; empty for a whole country.
    pub fn region(&self) -> &str {
        ascii(&self.region[..usize::from(self.region_length)])
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.region_length == 0 { "" } else { "-" };
        write!(f, "{}{gap}{}", self.country, self.region())
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Destination {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let (country, region_text) = match text.split_once('-') {
            Some((country, region)) => (country, Some(region)),
            None => (text, None),
        };
        let country: CountryCode = country.parse()?;
        let mut region = [0; 3];
        let Some(region_text) = region_text else {
            return Ok(Self { country, region, region_length: 0 });
        };
        let bytes = region_text.as_bytes();
        let sound = (1..=3).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !sound {
            return Err(Fault::malformed(
                "INVALID_DESTINATION",
                format!(
                    "{} is not a region of ISO 3166-2; give one to three capital letters or \
                     digits after the hyphen, as CN-SH, or the country alone",
                    quoted(text)
                ),
            ));
        }
        region[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { country, region, region_length: bytes.len() as u8 })
    }
}

serde_as_text!(Destination);

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// ISO 3166-1 alpha-2, officially assigned, by code.
#[rustfmt::skip]
static COUNTRIES: &[&[u8; 2]] = &[
    b"AD", b"AE", b"AF", b"AG", b"AI", b"AL", b"AM", b"AO", b"AQ", b"AR", b"AS", b"AT", b"AU",
    b"AW", b"AX", b"AZ", b"BA", b"BB", b"BD", b"BE", b"BF", b"BG", b"BH", b"BI", b"BJ", b"BL",
    b"BM", b"BN", b"BO", b"BQ", b"BR", b"BS", b"BT", b"BV", b"BW", b"BY", b"BZ", b"CA", b"CC",
    b"CD", b"CF", b"CG", b"CH", b"CI", b"CK", b"CL", b"CM", b"CN", b"CO", b"CR", b"CU", b"CV",
    b"CW", b"CX", b"CY", b"CZ", b"DE", b"DJ", b"DK", b"DM", b"DO", b"DZ", b"EC", b"EE", b"EG",
    b"EH", b"ER", b"ES", b"ET", b"FI", b"FJ", b"FK", b"FM", b"FO", b"FR", b"GA", b"GB", b"GD",
    b"GE", b"GF", b"GG", b"GH", b"GI", b"GL", b"GM", b"GN", b"GP", b"GQ", b"GR", b"GS", b"GT",
    b"GU", b"GW", b"GY", b"HK", b"HM", b"HN", b"HR", b"HT", b"HU", b"ID", b"IE", b"IL", b"IM",
    b"IN", b"IO", b"IQ", b"IR", b"IS", b"IT", b"JE", b"JM", b"JO", b"JP", b"KE", b"KG", b"KH",
    b"KI", b"KM", b"KN", b"KP", b"KR", b"KW", b"KY", b"KZ", b"LA", b"LB", b"LC", b"LI", b"LK",
    b"LR", b"LS", b"LT", b"LU", b"LV", b"LY", b"MA", b"MC", b"MD", b"ME", b"MF", b"MG", b"MH",
    b"MK", b"ML", b"MM", b"MN", b"MO", b"MP", b"MQ", b"MR", b"MS", b"MT", b"MU", b"MV", b"MW",
    b"MX", b"MY", b"MZ", b"NA", b"NC", b"NE", b"NF", b"NG", b"NI", b"NL", b"NO", b"NP", b"NR",
    b"NU", b"NZ", b"OM", b"PA", b"PE", b"PF", b"PG", b"PH", b"PK", b"PL", b"PM", b"PN", b"PR",
    b"PS", b"PT", b"PW", b"PY", b"QA", b"RE", b"RO", b"RS", b"RU", b"RW", b"SA", b"SB", b"SC",
    b"SD", b"SE", b"SG", b"SH", b"SI", b"SJ", b"SK", b"SL", b"SM", b"SN", b"SO", b"SR", b"SS",
    b"ST", b"SV", b"SX", b"SY", b"SZ", b"TC", b"TD", b"TF", b"TG", b"TH", b"TJ", b"TK", b"TL",
    b"TM", b"TN", b"TO", b"TR", b"TT", b"TV", b"TW", b"TZ", b"UA", b"UG", b"UM", b"US", b"UY",
    b"UZ", b"VA", b"VC", b"VE", b"VG", b"VI", b"VN", b"VU", b"WF", b"WS", b"YE", b"YT", b"ZA",
    b"ZM", b"ZW",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_destination_parses_to_what_it_prints(c in 0..249usize, region in "(-[A-Z0-9]{1,3})?") {
            let text = format!("{}{region}", CountryCode(*COUNTRIES[c]));
            let destination: Destination = text.parse().unwrap();
            prop_assert_eq!(destination.to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,8}") {
            let _ = text.parse::<Destination>();
        }
    }

    #[test]
    fn provinces_map_to_the_tax_authoritys_numbers_and_back() {
        assert_eq!(Province::ALL.len(), 24);
        for province in Province::ALL {
            let id = province.tax_authority_id();
            assert_eq!(Province::from_tax_authority_id(id), Some(*province));
            assert_eq!(province.to_string().parse::<Province>().unwrap(), *province);
        }
        assert_eq!(Province::from_tax_authority_id(15), None);
        assert_eq!("AR-M".parse::<Province>().unwrap().name(), "Mendoza");
        assert_eq!("AR-O".parse::<Province>().unwrap_err().reason, "INVALID_PROVINCE");
    }

    #[test]
    fn countries_are_in_order_and_none_is_missing() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a < b));
        assert_eq!(COUNTRIES.len(), 249);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "cn", "XX", "UK", "CN-", "CN-sh", "CN-ABCD", "C-SH", "CHN", "CN-S-H"] {
            assert_eq!(text.parse::<Destination>().unwrap_err().reason, "INVALID_DESTINATION");
        }
    }
}
