/*
 * A message for the user: what happened, and what to do about it.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

class PycytoRefusal extends RuntimeException {
    /** "refused", "stale" (saved since it was predicted), "bad input", "partly done" or "cancelled". */
    final String kind

    PycytoRefusal(String message, String kind = 'refused') {
        super(message)
        this.kind = kind
    }
}
