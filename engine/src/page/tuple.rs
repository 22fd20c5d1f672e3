//! Rows outside pages: one image per field.

/// The image of one field; `None` is NULL.
pub type Field = Option<Box<[u8]>>;

/// The images of a row's fields, in the order of its [`super::RecordLayout`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple(pub Vec<Field>);

impl Tuple {
    /// The image of field `at`, `None` if it is NULL.
    ///
    /// # Panics
    /// When there is no such field.
    #[must_use]
    pub fn field(&self, at: usize) -> Option<&[u8]> {
        self.0[at].as_deref()
    }
}
