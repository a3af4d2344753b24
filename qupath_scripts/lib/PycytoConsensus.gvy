/*
 * Where the readers of an assignment differ, and what the label of a cell is in the end; see docs/formats.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import java.time.Instant

class PycytoConsensus {
    final PycytoAssignment assignment
    final Map<String, PycytoReads> reads  // by reader
    private final PycytoReads consensus
    private final PycytoReads adjudication
    private final Map<String, Map<Integer, List<Integer>>> positions  // by reader: where each cell stands in the order

    PycytoConsensus(PycytoAssignment assignment) {
        this.assignment = assignment
        reads = assignment.readers.collectEntries { who -> [who, PycytoReads.by(assignment, who)] }
        consensus = PycytoReads.together(assignment, PycytoReads.CONSENSUS, '')
        adjudication = PycytoReads.together(assignment, PycytoReads.ADJUDICATION, '')
        positions = reads.collectEntries { who, read -> [who, read.order.indices.groupBy { int position -> read.order[position] }] }
    }

    boolean allAreDone() {
        return reads.values().every { it.left == 0 }
    }

    /**
     * Cells that all readers have read, and do not agree on. A cell counts as read once each of its showings is:
     * else whoever is still to see it a second time would hear here what the others said.
     */
    List<Integer> getDisagreements() {
        return reads.size() < 2 ? [] : assignment.cells.indices.findAll { int cell -> isRead(cell) && agreed(cell) == null }
    }

    private boolean isRead(int cell) {
        return reads.every { who, read -> positions[who][cell].every { read.isRead(it) } }
    }

    /** What the readers said when they saw the cell first, the least severe first: the order does not tell who said what. */
    List<String> said(int cell) {
        return reads.collect { who, read -> first(who, cell) }.sort { a, b -> rank(a) <=> rank(b) }
    }

    private String first(String who, int cell) {
        int position = firstShowing(who, cell)
        return reads[who].labelAt(position) ?: reads[who].actionAt(position)
    }

    private int firstShowing(String who, int cell) {
        return positions[who][cell].first()
    }

    private int rank(String word) {
        int place = assignment.classes.indexOf(word)
        return place < 0 ? assignment.classes.size() : place
    }

    /** The class that all readers gave when they saw the cell first, or null. One reader alone is no consensus. */
    private String agreed(int cell) {
        List<String> words = said(cell).unique(false)
        return reads.size() > 1 && words.size() == 1 && words[0] in assignment.classes ? words[0] : null
    }

    /** Cells that were left open when the readers looked at them together. */
    List<Integer> getLeftOpen() {
        return disagreements.findAll { int cell -> consensus.isRead(cell) && consensus.labelAt(cell) == null }
    }

    /** The disagreements that nobody has looked at together yet. */
    List<Integer> getWaiting() {
        return disagreements.findAll { int cell -> !consensus.isRead(cell) }
    }

    /** Cells that wait for a third reader. */
    List<Integer> getForThirdReader() {
        return leftOpen.findAll { int cell -> !adjudication.isRead(cell) }
    }

    /** The label of a cell: as a third reader decided, else as was agreed on, else as all readers said; or null. */
    Label labelOf(int cell) {
        for (PycytoReads together in [adjudication, consensus]) {
            if (together.labelAt(cell) != null) {
                return new Label(word: together.labelAt(cell), isAdjudicated: together.is(adjudication), at: together.momentAt(cell))
            }
        }
        def word = agreed(cell)
        return word == null ? null : new Label(word: word, at: reads.collect { who, read -> read.momentAt(firstShowing(who, cell)) }.max())
    }

    /** What a cell is, and since when. */
    static class Label {
        String word
        boolean isAdjudicated
        Instant at

        /** An adjudicated label goes before the others, and then the one that was decided last: as in Python. */
        boolean goesBefore(Label other) {
            return other == null || (isAdjudicated <=> other.isAdjudicated ?: at <=> other.at) >= 0
        }
    }

    /** The labels that a project's assignments have come to, by the key of the cell. Those for training make none. */
    static Map<List<Object>, String> labels(PycytoProject project, String projectId) {
        Map<List<Object>, Label> found = [:]
        PycytoAssignment.all(project).findAll { !it.proficiency && it.projectId == projectId }.each { assignment ->
            def consensus = new PycytoConsensus(assignment)
            assignment.cells.eachWithIndex { cell, n ->
                def label = consensus.labelOf(n)
                if (label?.goesBefore(found[cell.key])) {
                    found[cell.key] = label
                }
            }
        }
        return found.collectEntries { key, label -> [key, label.word] }
    }
}
