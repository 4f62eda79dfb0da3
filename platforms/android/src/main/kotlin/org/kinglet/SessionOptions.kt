// Settings of a session.
package org.kinglet

/**
 * Settings of a [KingletSession]. None changes a result of an int8 model, but for [maxLength] and [prompt].
 *
 * @property threads threads that one call uses, the caller's included.
 * @property maxLength tokens of a text, special tokens included; longer texts are cut. 0: the model's limit.
 * @property batch texts computed at once: more are faster and take more memory. Calls take any number of texts.
 * @property prompt for embeddings: the name of the prompt to put before every text; null: the model's default.
 * @property rawOutputs true: the session is made for [KingletSession.encode] too.
 * @property documentTokens [KingletSession.tag] and [KingletSession.answer]: the most tokens of a text. 0: 65,536.
 * @property topK [KingletSession.answer] and [KingletSession.fillMask]: the most results that a call may ask for.
 *   0: 16.
 */
public data class SessionOptions @JvmOverloads constructor(
    val threads: Int = 1,
    val maxLength: Int = 0,
    val batch: Int = 1,
    val prompt: String? = null,
    val rawOutputs: Boolean = false,
    val documentTokens: Int = 0,
    val topK: Int = 0,
) {
    init {
        require(threads >= 1) { "threads: $threads, expected at least 1" }
        require(batch >= 1) { "batch: $batch, expected at least 1" }
        require(maxLength >= 0) { "maxLength: $maxLength, expected 0 or more" }
        require(documentTokens >= 0) { "documentTokens: $documentTokens, expected 0 or more" }
        require(topK >= 0) { "topK: $topK, expected 0 or more" }
        require(prompt == null || '\u0000' !in prompt) { "prompt: has a character U+0000" }
    }
}
