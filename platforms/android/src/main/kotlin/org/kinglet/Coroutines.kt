// Calls in coroutines. The only file that needs kotlinx-coroutines, which the app brings: who does not call it does not
// need it.
package org.kinglet

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull

/**
 * Runs calls of a session on a thread of [dispatcher] and suspends meanwhile: `session.await { embed(text) }`. The
 * block has the session to itself.
 *
 * When the coroutine is cancelled, the call in progress ends soon, and so does this function, with the coroutine's
 * [CancellationException], after the call has ended: nothing goes on behind its back. Calls of others on the same
 * session are not touched.
 */
public suspend fun <T> KingletSession.await(
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
    block: KingletSession.() -> T,
): T = coroutineScope {
    val cancellation = KingletSession.Cancellation()
    val work = async(dispatcher) {
        try {
            exclusively(cancellation, block)
        } catch (error: KingletException) {
            throw if (cancellation.requested) CancellationException("cancelled", error) else error
        }
    }
    try {
        work.await()
    } catch (error: CancellationException) {
        // Again and again: a call that is only about to begin does not see a cancellation.
        withContext(NonCancellable) {
            do cancel(cancellation) while (withTimeoutOrNull(2) { work.join() } == null)
        }
        throw error
    }
}
