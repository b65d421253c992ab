//! Fields that may turn out to be something else: then they count as absent.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A string, borrowed where it has no escapes.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    pub(super) fn or_empty(self) -> Cow<'a, str> {
        self.0.unwrap_or_default()
    }
}

/// A list; each of its items has to fit.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// An object.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

/// How many bytes of text there are in a value of any shape, names included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight(pub(super) u64);

/// A string, or a list of objects.
#[derive(Debug)]
pub(super) enum TextOr<'a, T> {
    Text(Cow<'a, str>),
    List(Vec<T>),
}

impl<T> Default for TextOr<'_, T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Which shapes of value a field hopes for; every other shape is read to its end and dropped.
trait Hope<'de>: Default {
    fn text(_: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de: 'a, 'a> Hope<'de> for Text<'a> {
    fn text(text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }
}

impl<'de, T: Deserialize<'de>> Hope<'de> for List<T> {
    fn list<A: SeqAccess<'de>>(seq: A) -> Result<Self, A::Error> {
        items(seq).map(Self)
    }
}

impl<'de, T: Deserialize<'de> + Default> Hope<'de> for Object<T> {
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self)
    }
}

impl<'de> Hope<'de> for Weight {
    fn text(text: Cow<'de, str>) -> Self {
        Self(text.len() as u64)
    }

    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut sum = 0;
        while let Some(item) = seq.next_element::<Self>()? {
            sum += item.0;
        }
        Ok(Self(sum))
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut sum = 0;
        while let Some((name, value)) = map.next_entry::<Self, Self>()? {
            sum += name.0 + value.0;
        }
        Ok(Self(sum))
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Hope<'de> for TextOr<'a, T> {
    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn list<A: SeqAccess<'de>>(seq: A) -> Result<Self, A::Error> {
        items(seq).map(Self::List)
    }
}

fn items<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(mut seq: A) -> Result<Vec<T>, A::Error> {
    let mut items = Vec::new();
    while let Some(item) = seq.next_element()? {
        items.push(item);
    }
    Ok(items)
}

struct HopeVisitor<H>(PhantomData<H>);

impl<'de, H: Hope<'de>> Visitor<'de> for HopeVisitor<H> {
    type Value = H;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<H, E> {
        Ok(H::text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<H, E> {
        Ok(H::text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_unit<E: Error>(self) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<H, A::Error> {
        H::list(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<H, A::Error> {
        H::object(map)
    }
}

macro_rules! deserialize_by_hope {
    ($([$($generics:tt)*] $name:ty),+ $(,)?) => {$(
        impl<$($generics)*> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(HopeVisitor(PhantomData))
            }
        }
    )+};
}

deserialize_by_hope! {
    ['de: 'a, 'a] Text<'a>,
    ['de] Weight,
    ['de, T: Deserialize<'de>] List<T>,
    ['de, T: Deserialize<'de> + Default] Object<T>,
    ['de: 'a, 'a, T: Deserialize<'de>] TextOr<'a, T>,
}

/// A small value such as a number; anything that does not fit reads as absent.
pub(super) fn fitting<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Loose<T> {
        Fits(T),
        Other(IgnoredAny),
    }
    Ok(match Loose::deserialize(deserializer)? {
        Loose::Fits(value) => Some(value),
        Loose::Other(_) => None,
    })
}
