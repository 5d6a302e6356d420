//! The names of schemes and dialects, and sets of them.

use tower_fc::Scheme;
use tower_fc::error::ErrorKind;
use tower_fc::protocol::{Dialect, Dialects, Schemes};

#[test]
fn a_scheme_is_read_from_the_name_it_displays_and_known_by_its_token() {
    let known = [
        (Scheme::Fc, "fc", Some("FC")),
        (Scheme::FcPresigned, "presigned", None),
        (Scheme::Acs3HmacSha256, "acs3", Some("ACS3-HMAC-SHA256")),
        #[cfg(feature = "sm3")]
        (Scheme::Acs3HmacSm3, "acs3-sm3", Some("ACS3-HMAC-SM3")),
        (Scheme::Acs, "acs", Some("acs")),
    ];
    assert_eq!(known.map(|(scheme, ..)| scheme), Scheme::ALL);
    for (scheme, name, token) in known {
        assert_eq!(scheme.name(), name);
        assert_eq!(scheme.to_string(), name);
        assert_eq!(format!("{scheme:>12}"), format!("{name:>12}"));
        assert_eq!(name.parse::<Scheme>().unwrap(), scheme);
        assert_eq!(scheme.token(), token, "{name}");
    }
    for other in ["", "FC", "acs3-", "standard"] {
        assert_eq!(other.parse::<Scheme>().unwrap_err().kind(), ErrorKind::UnknownName, "{other}");
    }
}

#[test]
fn a_dialect_is_read_from_the_name_it_displays() {
    for dialect in Dialect::ALL {
        let name = dialect.name();
        assert_eq!(dialect.to_string(), name);
        assert_eq!(format!("{dialect:>20}"), format!("{name:>20}"));
        assert_eq!(name.parse::<Dialect>().unwrap(), *dialect);
    }
    assert_eq!(Dialect::Standard.name(), "standard");
    assert_eq!(Dialect::AcsJava.name(), "acs/java");
    for same in ["fc/go-gateway", "fc-presigned/go-fc", "acs/py", "acs/go"] {
        assert_eq!(same.parse::<Dialect>().unwrap(), Dialect::Standard, "{same}");
    }
    for other in ["", "fc", "fc/py", "Standard"] {
        assert_eq!(other.parse::<Dialect>().unwrap_err().kind(), ErrorKind::UnknownName, "{other}");
    }
}

/// A set has what it was made of.
macro_rules! assert_set {
    ($one:ty, $set:ty) => {
        for each in <$one>::ALL.iter().copied() {
            assert_eq!(<$set>::from(each).iter().count(), 1, "{each}");
            assert!(<$set>::all().contains(each.into()), "{each}");
            // Given twice, it is there once.
            assert_eq!(<$set>::from([each, each]), <$set>::from(each));
            for other in <$one>::ALL.iter().copied() {
                let both = <$set>::from([other, each]);
                assert_eq!(both, [each, other].into_iter().collect());
                for any in <$one>::ALL.iter().copied() {
                    assert_eq!(both.contains(any.into()), any == each || any == other);
                }
            }
        }
        assert_eq!(<$set>::all(), <$one>::ALL.iter().copied().collect());
    };
}

#[test]
fn a_set_of_schemes_is_what_was_put_into_it() {
    assert_set!(Scheme, Schemes);
    assert_eq!(Schemes::DEFAULT, [Scheme::Fc, Scheme::Acs3HmacSha256].into());
    assert_eq!(Schemes::default(), Schemes::DEFAULT);
    assert_eq!(format!("{:?}", Schemes::DEFAULT), "Schemes(FC | ACS3_HMAC_SHA256)");
}

#[test]
fn a_set_of_dialects_is_what_was_put_into_it() {
    assert_set!(Dialect, Dialects);
    assert_eq!(Dialects::STANDARD, Dialect::Standard.into());
    let two = Dialects::from([Dialect::AcsJava, Dialect::FcApi]);
    assert_eq!(format!("{two:?}"), "Dialects(FC_API | ACS_JAVA)");
}
