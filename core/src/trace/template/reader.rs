//! Puts messages together again.

use super::super::codebook::Defined;
use super::super::problem::Broken;
use super::super::wire::Cursor;
use super::{HOLES, HOLES_MAX, Hole};
use crate::limits::FRAME_BYTES_MAX;
use crate::message::{Field, Message, Pattern, is_plain, push_filler};
use crate::rng::Uuid;
use crate::time::UnixMillis;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

#[derive(Debug)]
struct Template {
    /// The text before each hole.
    pieces: Vec<(Box<str>, Hole)>,
    rest: Box<str>,
    /// Bytes of all the pieces.
    bytes: usize,
    /// Where the fields are, once a first message has been read.
    pattern: Option<Pattern>,
    /// The last message that the pattern described.
    mold: Option<Mold>,
}

/// A message, and where its holes are. The next one of its template often differs from it in texts of the same lengths
/// only: then it is a copy with other texts in the holes, and its fields are where they were.
#[derive(Debug)]
struct Mold {
    message: Message,
    places: Places,
}

type Places = [Range<usize>; HOLES_MAX];

impl Template {
    fn read(cursor: &mut Cursor<'_>) -> Result<Template, Broken> {
        let holes: usize = cursor.narrow()?;
        if holes > HOLES_MAX {
            return Err(Broken("a template with too many holes"));
        }
        let mut pieces: Vec<(Box<str>, Hole)> = Vec::with_capacity(holes);
        for _ in 0..holes {
            let hole = HOLES.get(usize::from(cursor.byte()?)).ok_or(Broken("a hole of no known kind"))?;
            pieces.push((cursor.text()?.into(), *hole));
        }
        let rest: Box<str> = cursor.text()?.into();
        let bytes = rest.len() + pieces.iter().map(|(piece, _)| piece.len()).sum::<usize>();
        Ok(Template { pieces, rest, bytes, pattern: None, mold: None })
    }

    /// Whether each hole is what it claims to be: then other fillings of its kind make a frame of the same shape.
    fn holds(&self, message: &Message, places: &[Range<usize>]) -> bool {
        self.pieces.iter().zip(places).all(|((_, hole), place)| {
            let field = match hole {
                Hole::MsgIdUuid | Hole::MsgId => Field::MsgId,
                Hole::ParentUuid | Hole::Parent => Field::ParentMsgId,
                Hole::ResourceVersion => Field::ResourceVersion,
                Hole::Resource => Field::Resource,
                Hole::Content => Field::Content,
                Hole::Timestamp => {
                    let mut digits = itoa::Buffer::new();
                    return message.frame().get(place.clone()) == Some(digits.format(message.timestamp().0));
                }
            };
            message.place(field).as_ref() == Some(place)
        })
    }
}

/// What fills a hole.
#[derive(Debug, Clone, Copy)]
enum Filling<'a> {
    Uuid(u128),
    Text(&'a str),
    /// The place of a resource among those that are known.
    Resource(usize),
    Number(i64),
    Filler(usize),
}

/// A resource, and whether JSON would escape nothing of it.
#[derive(Debug)]
struct Resource {
    text: Box<str>,
    plain: bool,
}

/// Reads messages of one block.
#[derive(Debug)]
pub(in crate::trace) struct MessageReader {
    kept: bool,
    templates: Defined<Template>,
    resources: Defined<Resource>,
}

impl MessageReader {
    pub(in crate::trace) fn new(kept: bool) -> MessageReader {
        MessageReader { kept, templates: Defined::default(), resources: Defined::default() }
    }

    /// The next message, with the hash of its content where only that was kept.
    pub(in crate::trace) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        wall: UnixMillis,
    ) -> Result<(Message, Option<u64>), Broken> {
        let template = self.templates.read(cursor, Template::read)?;
        let (mut hash, mut timestamp, mut plain) = (None, None, true);
        let mut fillings = [Filling::Filler(0); HOLES_MAX];
        let (mut bytes, mut same_lengths) = (template.bytes, template.mold.is_some());
        let mut mold = template.mold.as_ref().map(|mold| mold.places.iter()).into_iter().flatten();
        for (filling, (_, hole)) in fillings.iter_mut().zip(&template.pieces) {
            let (read, length) = match hole {
                Hole::MsgIdUuid | Hole::ParentUuid => {
                    (Filling::Uuid(u128::from_be_bytes(cursor.array()?)), UUID_BYTES)
                }
                Hole::MsgId | Hole::Parent | Hole::ResourceVersion => {
                    let text = cursor.text()?;
                    plain &= is_plain(text);
                    (Filling::Text(text), text.len())
                }
                Hole::Resource => {
                    let (at, resource) = self.resources.read_at(cursor, Resource::read)?;
                    plain &= resource.plain;
                    (Filling::Resource(at), resource.text.len())
                }
                Hole::Timestamp => {
                    let number = wall.0.wrapping_add(cursor.signed()?);
                    timestamp = Some(number);
                    (Filling::Number(number), digits(number))
                }
                Hole::Content if self.kept => {
                    // Whatever it is, it has to be read to be believed.
                    plain = false;
                    let text = cursor.text()?;
                    (Filling::Text(text), text.len())
                }
                Hole::Content => {
                    let bytes: usize = cursor.narrow()?;
                    if bytes > FRAME_BYTES_MAX {
                        return Err(Broken("a content larger than any frame"));
                    }
                    // An empty text is no JSON.
                    plain &= bytes > 0;
                    hash = Some(u64::from_le_bytes(cursor.array()?));
                    (Filling::Filler(bytes), bytes)
                }
            };
            same_lengths &= mold.next().is_some_and(|place| place.len() == length);
            *filling = read;
            bytes += length;
        }
        if let Some(mold) = template.mold.as_ref().filter(|_| same_lengths && plain) {
            let message = mold.cast(&fillings, &self.resources, timestamp);
            return message.map(|message| (message, hash)).ok_or(Broken("a message that is none"));
        }
        let mut frame = String::with_capacity(bytes);
        let mut places = [const { 0..0 }; HOLES_MAX];
        for ((text, _), (filling, place)) in template.pieces.iter().zip(fillings.iter().zip(&mut places)) {
            frame.push_str(text);
            let start = frame.len();
            match filling {
                Filling::Uuid(bits) => frame.push_str(Uuid::from_bits(*bits).as_str()),
                Filling::Text(text) => frame.push_str(text),
                Filling::Resource(at) => frame.push_str(text_at(&self.resources, *at)),
                Filling::Number(number) => frame.push_str(itoa::Buffer::new().format(*number)),
                Filling::Filler(bytes) => push_filler(&mut frame, *bytes),
            }
            *place = start..frame.len();
        }
        frame.push_str(&template.rest);
        let holes = places.get(..template.pieces.len()).unwrap_or_default();
        if let Some(pattern) = template.pattern.as_ref().filter(|_| plain) {
            match pattern.message(frame, holes, timestamp) {
                Ok(message) => {
                    template.mold = Some(Mold { message: message.clone(), places });
                    return Ok((message, hash));
                }
                Err(unread) => frame = unread,
            }
        }
        let whole = frame.len();
        let message = Message::decode(frame).map_err(|_| Broken("a message that is none"))?;
        if plain && template.pattern.is_none() && message.bytes() == whole && template.holds(&message, holes)
        {
            template.pattern = Pattern::of(&message, holes);
        }
        Ok((message, hash))
    }
}

impl Resource {
    fn read(cursor: &mut Cursor<'_>) -> Result<Resource, Broken> {
        let text = cursor.text()?;
        Ok(Resource { text: text.into(), plain: is_plain(text) })
    }
}

impl Mold {
    /// The message with these fillings, each as long as the one in its place. Filler is there already.
    fn cast(
        &self,
        fillings: &[Filling<'_>],
        resources: &Defined<Resource>,
        timestamp: Option<i64>,
    ) -> Option<Message> {
        let mut frame = self.message.frame().as_bytes().to_vec();
        for (filling, place) in fillings.iter().zip(&self.places) {
            let hole = frame.get_mut(place.clone())?;
            match filling {
                Filling::Uuid(bits) => Uuid::put_bits(*bits, hole.try_into().ok()?),
                Filling::Text(text) => fill(hole, text)?,
                Filling::Resource(at) => fill(hole, text_at(resources, *at))?,
                Filling::Number(number) => fill(hole, itoa::Buffer::new().format(*number))?,
                Filling::Filler(_) => {}
            }
        }
        Some(self.message.with_frame_like(String::from_utf8(frame).ok()?, timestamp))
    }
}

fn fill(hole: &mut [u8], text: &str) -> Option<()> {
    (hole.len() == text.len()).then(|| hole.copy_from_slice(text.as_bytes()))
}

/// Length of a UUID in its text form.
const UUID_BYTES: usize = 36;

fn text_at(resources: &Defined<Resource>, at: usize) -> &str {
    resources.at(at).map_or("", |resource| &resource.text)
}

/// The length of a number, as it is written.
fn digits(number: i64) -> usize {
    match number {
        // Any moment in milliseconds between 2001 and 2286.
        1_000_000_000_000..=9_999_999_999_999 => 13,
        _ => itoa::Buffer::new().format(number).len(),
    }
}
