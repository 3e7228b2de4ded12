//! State to bytes.

use super::super::template::{ContentRule, MessageWriter};
use super::super::wire::{put, put_bytes, put_signed};
use super::{EPOCH, shape};
use crate::message::{self, Message};
use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;
use serde::ser::{self, Serializer};

/// The only thing that can go wrong: a type that has no place in a state.
#[derive(Debug)]
pub(crate) struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a type of a state")
    }
}

impl core::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: fmt::Display>(_: T) -> Unsupported {
        Unsupported
    }
}

pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) messages: MessageWriter,
    pub(super) rule: ContentRule,
    pub(super) frame_is_next: bool,
}

type Done = Result<(), Unsupported>;

macro_rules! unsigned {
    ($($name:ident $type:ty),*) => { $(fn $name(self, value: $type) -> Done {
        put(self.out, u64::from(value));
        Ok(())
    })* };
}

macro_rules! signed {
    ($($name:ident $type:ty),*) => { $(fn $name(self, value: $type) -> Done {
        put_signed(self.out, i64::from(value));
        Ok(())
    })* };
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Unsupported;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Structure<'w, 'a>;
    type SerializeStructVariant = Structure<'w, 'a>;

    unsigned!(serialize_bool bool, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_char char);
    signed!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);

    fn serialize_f32(self, _: f32) -> Done {
        Err(Unsupported)
    }

    fn serialize_f64(self, _: f64) -> Done {
        Err(Unsupported)
    }

    fn serialize_str(self, text: &str) -> Done {
        if core::mem::take(&mut self.frame_is_next) {
            let message = Message::decode(alloc::string::String::from(text)).map_err(|_| Unsupported)?;
            self.messages.put(self.out, &message, EPOCH, self.rule);
        } else {
            put_bytes(self.out, text.as_bytes());
        }
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        put_bytes(self.out, bytes);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.out.push(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.out.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Done {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        self.frame_is_next = name == message::NEWTYPE;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        put(self.out, u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Unsupported> {
        put(self.out, length.ok_or(Unsupported)? as u64);
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unsupported> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unsupported> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unsupported> {
        put(self.out, u64::from(index));
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Unsupported> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Structure<'w, 'a>, Unsupported> {
        Ok(Structure { writer: self, name, fields: Vec::new() })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Structure<'w, 'a>, Unsupported> {
        put(self.out, u64::from(index));
        Ok(Structure { writer: self, name, fields: Vec::new() })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A structure in the making: its fields, and their names for the mark at its end.
pub(super) struct Structure<'w, 'a> {
    writer: &'w mut Writer<'a>,
    name: &'static str,
    fields: Vec<&'static str>,
}

impl Structure<'_, '_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.fields.push(name);
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Done {
        let mark = shape(self.name, self.fields.into_iter());
        self.writer.out.extend_from_slice(&mark.to_le_bytes());
        Ok(())
    }
}

impl ser::SerializeStruct for Structure<'_, '_> {
    type Ok = ();
    type Error = Unsupported;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.field(name, value)
    }
    fn end(self) -> Done {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Structure<'_, '_> {
    type Ok = ();
    type Error = Unsupported;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.field(name, value)
    }
    fn end(self) -> Done {
        self.finish()
    }
}

macro_rules! elements {
    ($($trait:ident $name:ident),*) => { $(impl ser::$trait for &mut Writer<'_> {
        type Ok = ();
        type Error = Unsupported;
        fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
            value.serialize(&mut **self)
        }
        fn end(self) -> Done {
            Ok(())
        }
    })* };
}

elements!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

impl ser::SerializeMap for &mut Writer<'_> {
    type Ok = ();
    type Error = Unsupported;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut **self)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }
    fn end(self) -> Done {
        Ok(())
    }
}
