// What kinglet refuses, with a status that programs can tell apart.
package org.kinglet

/** Why a call failed; the same names and numbers as `kinglet_status` of the C API. */
public enum class Status {
    /** Not a failure; no exception has it. */
    OK,

    /** A call that is wrong in itself: a bad option, ids out of range. */
    INVALID_ARGUMENT,

    /** The operating system refused: no such file, a closed descriptor. */
    IO_ERROR,

    /** The model file is damaged, truncated or not a model. */
    BAD_MODEL,

    /** Valid, but not for this build or processor, or of a newer format. */
    UNSUPPORTED,

    /** There was not enough native memory. */
    OUT_OF_MEMORY,

    /** More tokens or texts than the session was made for. */
    TOO_LONG,

    /** [KingletSession.cancel] ended the call. */
    CANCELLED,

    /** A number became infinite or not a number inside the model. */
    NON_FINITE,

    /** The model was made for another task. */
    WRONG_TASK,
}

/**
 * Thrown by every function of [KingletModel] and [KingletSession] that fails. The message is one line for people: what
 * was wrong, where, and what was expected.
 *
 * Using a closed model or session is an [IllegalStateException] instead: a mistake of the program, not of its data.
 */
public class KingletException internal constructor(code: Int, message: String) : RuntimeException(message) {
    /** Why the call failed. */
    public val status: Status = Status.values()[code]
}
