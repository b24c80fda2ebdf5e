//! Structs whose layout is written down, asserted, and read and written field by field.

/// A field that can be copied out of bytes and into bytes.
pub(crate) trait Field: Sized {
    /// Reads from exactly the field's size; `None` for any other number.
    fn get(bytes: &[u8]) -> Option<Self>;
    /// Writes into exactly the field's size; `None` for any other number.
    fn put(&self, bytes: &mut [u8]) -> Option<()>;
}

macro_rules! integer_fields {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            fn get(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_ne_bytes(bytes.try_into().ok()?))
            }
            fn put(&self, bytes: &mut [u8]) -> Option<()> {
                *<&mut [u8; size_of::<$ty>()]>::try_from(bytes).ok()? = self.to_ne_bytes();
                Some(())
            }
        }
    )*};
}
integer_fields!(u8, u16, u32, u64, i16, i32);

impl<T: Field + Copy + Default, const N: usize> Field for [T; N] {
    fn get(bytes: &[u8]) -> Option<Self> {
        let mut items = [T::default(); N];
        let (chunks, rest) = (bytes.chunks_exact(size_of::<T>()), bytes.len() % size_of::<T>());
        if chunks.len() != N || rest != 0 {
            return None;
        }
        for (item, chunk) in items.iter_mut().zip(chunks) {
            *item = T::get(chunk)?;
        }
        Some(items)
    }
    fn put(&self, bytes: &mut [u8]) -> Option<()> {
        let mut chunks = bytes.chunks_exact_mut(size_of::<T>());
        if chunks.len() != N {
            return None;
        }
        self.iter()
            .zip(&mut chunks)
            .try_for_each(|(item, chunk)| item.put(chunk))
    }
}

/// Defines a `repr(C)` struct with the offset of each field and its size written down; both are asserted, and that the
/// fields leave no implicit padding (the verifier refuses to copy uninitialised stack, and padding would leak it).
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $size:literal {
            $($(#[$field_meta:meta])* $offset:literal $field:ident: $ty:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        const _: () = {
            assert!(size_of::<$name>() == $size);
            assert!(align_of::<$name>() <= 8);
            assert!(0 $(+ size_of::<$ty>())* == $size);
            $(assert!(core::mem::offset_of!($name, $field) == $offset);)*
        };

        impl $name {
            /// Bytes taken.
            pub const SIZE: usize = $size;

            /// Copies the struct out of the first `SIZE` bytes; `None` when there are fewer.
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                Some(Self {
                    $($field: <$ty as $crate::wire::Field>::get(
                        bytes.get($offset..$offset + size_of::<$ty>())?
                    )?,)*
                })
            }

            /// The struct's bytes.
            pub fn encode(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $(if let Some(slot) = bytes.get_mut($offset..$offset + size_of::<$ty>()) {
                    // The slot is exactly as long as the field: the offsets are asserted above.
                    let _written: Option<()> = $crate::wire::Field::put(&self.$field, slot);
                })*
                bytes
            }
        }

        impl $crate::wire::Field for $name {
            fn get(bytes: &[u8]) -> Option<Self> {
                if bytes.len() == $size { Self::decode(bytes) } else { None }
            }
            fn put(&self, bytes: &mut [u8]) -> Option<()> {
                *<&mut [u8; $size]>::try_from(bytes).ok()? = self.encode();
                Some(())
            }
        }
    };
}
pub(crate) use wire_struct;
