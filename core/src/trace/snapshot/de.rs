//! Bytes to state.

use super::super::problem::Broken;
use super::super::template::MessageReader;
use super::super::wire::Cursor;
use super::{EPOCH, shape};
use crate::message;
use core::fmt;
use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

/// The bytes are no state of this version.
#[derive(Debug)]
pub(crate) struct NoState;

impl fmt::Display for NoState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a state of this version")
    }
}

impl core::error::Error for NoState {}

impl de::Error for NoState {
    fn custom<T: fmt::Display>(_: T) -> NoState {
        NoState
    }
}

impl From<Broken> for NoState {
    fn from(_: Broken) -> NoState {
        NoState
    }
}

pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    messages: MessageReader,
    /// Whether a structure was met whose fields are not those of this version.
    pub(super) is_of_other_shape: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: &'a [u8], kept: bool) -> Reader<'a> {
        Reader { cursor: Cursor::new(raw), messages: MessageReader::new(kept), is_of_other_shape: false }
    }

    /// A number of elements. Each takes a byte at least: a number that claims more is wrong.
    fn length(&mut self) -> Result<usize, NoState> {
        let length = self.cursor.narrow()?;
        if length > self.cursor.left() { Err(NoState) } else { Ok(length) }
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident $read:ident),*) => { $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        visitor.$visit(self.cursor.$read()?)
    })* };
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = NoState;

    numbers!(
        deserialize_u8 visit_u64 number, deserialize_u16 visit_u64 number, deserialize_u32 visit_u64 number,
        deserialize_u64 visit_u64 number, deserialize_i8 visit_i64 signed, deserialize_i16 visit_i64 signed,
        deserialize_i32 visit_i64 signed, deserialize_i64 visit_i64 signed, deserialize_identifier visit_u64 number,
        deserialize_str visit_str text, deserialize_string visit_str text, deserialize_bytes visit_bytes bytes,
        deserialize_byte_buf visit_bytes bytes
    );

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoState> {
        Err(NoState)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoState> {
        Err(NoState)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoState> {
        Err(NoState)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoState> {
        Err(NoState)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        match self.cursor.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(NoState),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        visitor.visit_char(char::from_u32(self.cursor.narrow()?).ok_or(NoState)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        match self.cursor.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(NoState),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoState> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoState> {
        if name != message::NEWTYPE {
            return visitor.visit_newtype_struct(self);
        }
        let (message, _) = self.messages.read(&mut self.cursor, EPOCH)?;
        visitor.visit_newtype_struct(StrDeserializer::new(message.frame()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        let left = self.length()?;
        visitor.visit_seq(Elements { reader: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, NoState> {
        visitor.visit_seq(Elements { reader: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, NoState> {
        visitor.visit_seq(Elements { reader: self, left })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoState> {
        let left = self.length()?;
        visitor.visit_map(Elements { reader: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoState> {
        let value = visitor.visit_seq(Elements { reader: self, left: fields.len() })?;
        let mark = u16::from_le_bytes(self.cursor.array()?);
        if mark == shape(name, fields.iter().copied()) {
            return Ok(value);
        }
        self.is_of_other_shape = true;
        Err(NoState)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoState> {
        visitor.visit_enum(Variant { reader: self, variants, name: "" })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

struct Elements<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, '_> {
    type Error = NoState;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NoState> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    // No hint of the size: nothing is reserved for what is not there.
}

impl<'de> de::MapAccess<'de> for Elements<'_, '_> {
    type Error = NoState;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NoState> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NoState> {
        seed.deserialize(&mut *self.reader)
    }
}

struct Variant<'r, 'a> {
    reader: &'r mut Reader<'a>,
    variants: &'static [&'static str],
    name: &'static str,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, '_> {
    type Error = NoState;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), NoState> {
        let index: u32 = self.reader.cursor.narrow()?;
        self.name = self.variants.get(index as usize).ok_or(NoState)?;
        let index: U32Deserializer<NoState> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = NoState;

    fn unit_variant(self) -> Result<(), NoState> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, NoState> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, NoState> {
        visitor.visit_seq(Elements { reader: self.reader, left })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoState> {
        let name = self.name;
        Deserializer::deserialize_struct(self.reader, name, fields, visitor)
    }
}
