// What calls return. Places in texts count UTF-16 units, as String does: text.substring(begin, end) is the part.
package org.kinglet

/** What a model is for; see [ModelInfo.task]. */
public enum class Task {
    /** Raw outputs only. */
    NONE,

    /** [KingletSession.embed] and [KingletSession.similarity]. */
    EMBED,

    /** [KingletSession.classify] and, for models of pairs with one output, [KingletSession.rerank]. */
    CLASSIFY,

    /** [KingletSession.tag]. */
    TAG,

    /** [KingletSession.answer]. */
    ANSWER,

    /** [KingletSession.fillMask]. */
    FILL_MASK,
}

/** How a classifier's raw numbers become scores. */
public enum class Scoring {
    /** One label per text: the scores sum to 1. */
    SOFTMAX,

    /** Several labels per text, or one output. */
    SIGMOID,

    /** Regression: the raw number. */
    NONE,
}

/**
 * What a model says of itself.
 *
 * @property task what it is for.
 * @property scoring how [KingletSession.classify] makes scores.
 * @property maxLength the most tokens of a text, special tokens included.
 * @property vocabulary token ids are below this.
 * @property typeCount type ids are below this.
 * @property embeddingSize numbers of an embedding; 0 for other tasks.
 * @property hasTokenizer false: only inputs of ids work.
 * @property architecture "bert", ….
 * @property precision "int8" or "fp32".
 * @property labels of a classifier or tagger; a label without a name is its number.
 * @property outputs names of the raw outputs.
 * @property prompts names for [SessionOptions.prompt].
 */
public data class ModelInfo internal constructor(
    val task: Task,
    val scoring: Scoring,
    val maxLength: Int,
    val vocabulary: Int,
    val typeCount: Int,
    val embeddingSize: Int,
    val hasTokenizer: Boolean,
    val architecture: String,
    val precision: String,
    val labels: List<String>,
    val outputs: List<String>,
    val prompts: List<String>,
)

/**
 * One token of [Tokens].
 *
 * @property id its number in the vocabulary.
 * @property typeId 1 in the second text of a pair, for models that tell them apart.
 * @property token its text in the vocabulary.
 * @property begin where it begins in its own text, in UTF-16 units; -1 for tokens that the template adds.
 * @property end where it ends, or -1.
 */
public data class Token(val id: Int, val typeId: Int, val token: String, val begin: Int, val end: Int)

/**
 * A text as the model reads it.
 *
 * @property tokens special tokens included.
 * @property truncated whether the text was cut.
 */
public data class Tokens(val tokens: List<Token>, val truncated: Boolean) {
    /** The ids alone, for [Input.ids]. */
    public val ids: IntArray get() = IntArray(tokens.size) { tokens[it].id }

    /** The type ids alone, for [Input.ids]. */
    public val typeIds: IntArray get() = IntArray(tokens.size) { tokens[it].typeId }
}

/**
 * The classes of a text.
 *
 * @property label the one with the highest score.
 * @property score its score.
 * @property scores of all labels, in the model's order.
 * @property labels models with several labels per text: those with a score over 0.5.
 * @property value models with one output: the raw number; otherwise null.
 * @property truncated whether the text was cut.
 */
public data class Classification(
    val label: String,
    val score: Float,
    val scores: Map<String, Float>,
    val labels: List<String>,
    val value: Float?,
    val truncated: Boolean,
)

/**
 * A named part of a text.
 *
 * @property label without "B-" and "I-".
 * @property text the part itself.
 * @property begin where it begins, in UTF-16 units.
 * @property end where it ends.
 * @property score how sure the model is, from 0 to 1.
 */
public data class Entity(val label: String, val text: String, val begin: Int, val end: Int, val score: Float)

/**
 * An answer found in a context.
 *
 * @property text the part of the context; empty where the best answer is that there is none.
 * @property begin where it begins in the context, in UTF-16 units.
 * @property end where it ends.
 * @property score how sure the model is, from 0 to 1.
 */
public data class Answer(val text: String, val begin: Int, val end: Int, val score: Float)

/**
 * A token that may stand in place of a mask.
 *
 * @property token what it says, spaces included.
 * @property id its number in the vocabulary.
 * @property score its probability.
 */
public data class Prediction(val token: String, val id: Int, val score: Float)

/**
 * A text in its place of a ranking.
 *
 * @property index its place in the list that was given.
 * @property score how well it fits the query.
 */
public data class Ranked(val index: Int, val score: Float)

/** How [KingletSession.tag] makes one label of those of the pieces of a word. */
public enum class Aggregation {
    /** Not at all: a word may have pieces of several entities. */
    SIMPLE,

    /** That of its first piece. */
    FIRST,

    /** The best of the average of their scores. */
    AVERAGE,

    /** That of the piece with the highest score. */
    MAX,
}

/** A raw output of a model: [data] row by row, [shape] its one or two extents. */
public class Output internal constructor(
    /** Its Hugging Face name. */
    public val name: String,
    /** One or two extents. */
    public val shape: List<Int>,
    /** The numbers, row by row. */
    public val data: FloatArray,
)
