// Type a sentence: the notes below are put in order by how close their meaning is. Every keystroke cancels the search
// before it.
package org.kinglet.sample

import android.app.Activity
import android.os.Bundle
import android.text.Editable
import android.text.TextWatcher
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.kinglet.KingletModel
import org.kinglet.KingletSession
import org.kinglet.SessionOptions
import org.kinglet.await

private val notes = listOf(
    "Buy flour, eggs and milk.",
    "The dentist moved Tuesday's appointment to nine.",
    "Kinglets are among the smallest of birds.",
    "The train to the coast leaves every hour.",
    "Grandmother's soup: leeks, potatoes, a bay leaf.",
)

class MainActivity : Activity() {
    private val scope: CoroutineScope = MainScope()
    private var session: KingletSession? = null
    private var vectors: List<FloatArray> = emptyList()
    private var search: Job? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val query = EditText(this).apply { hint = "What are you looking for?" }
        val answer = TextView(this).apply { text = notes.joinToString("\n\n") }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            setPadding(48, 48, 48, 48)
            addView(query)
            addView(answer)
        })
        val ready = scope.launch {
            session = withContext(Dispatchers.IO) {
                KingletModel.open(assets, "minilm.kgl").use { it.newSession(SessionOptions(threads = 2)) }
            }
            vectors = session!!.await { embed(notes) }
        }
        query.addTextChangedListener(object : TextWatcher {
            override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit
            override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit
            override fun afterTextChanged(text: Editable) {
                val asked = text.toString()
                val before = search
                search = scope.launch {
                    before?.cancelAndJoin()
                    ready.join()
                    val vector = session!!.await { embed(asked) }
                    answer.text = notes.indices.sortedByDescending { dot(vector, vectors[it]) }
                        .joinToString("\n\n") { notes[it] }
                }
            }
        })
    }

    override fun onDestroy() {
        scope.coroutineContext[Job]!!.cancel()
        session?.close()
        super.onDestroy()
    }

    private fun dot(a: FloatArray, b: FloatArray): Float {
        var sum = 0f
        for (i in a.indices) sum += a[i] * b[i]
        return sum
    }
}
