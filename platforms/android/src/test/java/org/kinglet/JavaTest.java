// The library as Java sees it.
package org.kinglet;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public class JavaTest {
    @Test
    public void javaCallsEverything() {
        try (KingletModel model = KingletModel.open(Host.INSTANCE.model("bert-seqcls", null));
             KingletSession session = model.newSession(new SessionOptions(2, 64))) {
            Classification result = session.classify("a fine film");
            assertTrue(model.getInfo().getLabels().contains(result.getLabel()));
            List<Input> inputs = Arrays.asList(Input.text("a"), Input.pair("a", "b"), Input.ids(new int[] {1, 2}));
            List<Classification> all = session.classifyInputs(inputs);
            assertEquals(3, all.size());
            for (Map.Entry<String, Float> score : result.getScores().entrySet()) {
                assertTrue(score.getValue() <= result.getScore());
            }
        }
        try (KingletModel model = KingletModel.open(Host.INSTANCE.model("bert", "embed"));
             KingletSession session = model.newSession()) {
            float[] vector = session.embed("a small bird");
            assertEquals(model.getInfo().getEmbeddingSize(), vector.length);
            assertEquals(2, session.embed(Arrays.asList("a", "b")).size());
            Token token = session.tokenize("a small bird").getTokens().get(1);
            assertEquals(0, token.getBegin());
        }
        try {
            KingletModel.open("no-such-file.kgl");
            throw new AssertionError("opened a file that is not there");
        } catch (KingletException error) {
            assertEquals(Status.IO_ERROR, error.getStatus());
        }
    }
}
