//! Between the ports' values and what both databases can hold.
use jiff::Timestamp;
use mesh_control_core::ports::StoreError;

/// Numbers of the ports are unsigned, those of the databases signed. What is kept was checked before it came here; a filter's
/// number that is out of range means "beyond everything".
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way: what a database holds was never negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Nanoseconds since 1970, from 1677 to 2262; instants beyond are moved to the nearest end.
pub(crate) fn nanoseconds(at: Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

/// The instant again.
pub(crate) fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Text for a column: Postgres holds no NUL, so that none is written anywhere. The record itself stays as it came.
pub(crate) fn text(value: &str) -> String {
    value.replace('\0', "\u{FFFD}")
}

/// Names for a column that is searched with [`name_in_list`].
pub(crate) fn name_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.fold("\n".to_owned(), |list, name| list + &text(name).replace('\n', " ") + "\n")
}

/// What a list holds exactly when the name is in it.
pub(crate) fn name_in_list(name: &str) -> String {
    name_list(std::iter::once(name))
}

/// The database's own words go along as the cause; they name no values.
pub(crate) fn failed(what: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| StoreError::caused(what, error)
}
