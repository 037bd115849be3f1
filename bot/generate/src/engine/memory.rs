//! Returning freed memory to the operating system.

/// Blocks of so many bytes go back to the system when they are freed: the states of conversations do, what
/// every token takes does not.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 4 << 20;

/// Has the memory of large blocks returned once they are free. glibc would find out that states of
/// conversations come and go, and keep up to a hundred megabytes of them (`mallopt(3)`, `M_MMAP_THRESHOLD`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc's settings have no safe interface")]
pub(super) fn return_large_blocks() {
    // SAFETY: it sets a number that later allocations look at; what is allocated already is not touched.
    let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    if is_set == 0 {
        tracing::debug!("glibc keeps the memory of large blocks");
    }
}

/// Has what is free now returned (`malloc_trim(3)`): a model's file is read into hundreds of thousands of small
/// blocks, words and rules for joining them, of which a part is needed no more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc's settings have no safe interface")]
pub(super) fn return_free_blocks() {
    // SAFETY: it touches pages that hold nothing.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators return it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn return_large_blocks() {}

/// Other allocators return it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn return_free_blocks() {}
