// What a model can be asked about.
package org.kinglet

/** A text, a pair of texts, or token ids. Make one with [text], [pair] or [ids]. */
public class Input private constructor(
    internal val text: String?,
    internal val pair: String?,
    internal val ids: IntArray?,
    internal val typeIds: IntArray?,
) {
    public companion object {
        /** One text of any length. A surrogate without its other half is read as U+FFFD. */
        @JvmStatic
        public fun text(text: String): Input = Input(text, null, null, null)

        /** Two texts that the model reads together, such as a premise and a hypothesis. */
        @JvmStatic
        public fun pair(first: String, second: String): Input = Input(first, second, null, null)

        /**
         * Token ids, special tokens included, and their type ids ([typeIds] null: all 0). The arrays are read when a
         * call is made with the input.
         */
        @JvmStatic
        @JvmOverloads
        public fun ids(ids: IntArray, typeIds: IntArray? = null): Input = Input(null, null, ids, typeIds)
    }
}
