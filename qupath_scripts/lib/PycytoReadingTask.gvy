/*
 * What is to be done with an assignment, and by whom: read it blinded, look together at what the
 * readers differ on, or decide as a third reader what they left open. See docs/reading.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

class PycytoReadingTask {
    static final String READING = 'reading'
    static final String CONSENSUS = 'consensus'
    static final String ADJUDICATION = 'adjudication'
    static final List<String> MODES = [READING, CONSENSUS, ADJUDICATION]
    // The class whose misses a training reader is told.
    private static final String GRAVEST = 'HSIL'

    final PycytoAssignment assignment
    final String mode
    final PycytoReads reads
    final List<Integer> positions  // to be gone through
    final boolean isTold           // the consensus is shown after each answer
    private final PycytoConsensus consensus          // null while somebody reads blinded
    private final Map<List<Object>, String> answers  // by cell; of a proficiency assignment only

    private PycytoReadingTask(PycytoAssignment assignment, String mode, PycytoReads reads, List<Integer> positions, boolean isTold, PycytoConsensus consensus) {
        this.assignment = assignment
        this.mode = mode
        this.reads = reads
        this.positions = positions
        this.consensus = consensus
        answers = assignment.proficiency ? PycytoConsensus.labels(assignment.project, assignment.projectId) : [:]
        this.isTold = isTold && answers
    }

    /**
     * @param mode    one of MODES
     * @param who     the reader; for a consensus the people at the screen
     * @param isTold  whether a training reader hears the consensus after each answer
     */
    static PycytoReadingTask of(PycytoAssignment assignment, String mode, String who, boolean isTold) {
        if (!(mode in MODES)) {
            Pycyto.refuse("There is no mode '${mode}'. Known are: ${MODES.join(', ')}.")
        }
        if (mode == READING) {
            def reads = PycytoReads.by(assignment, who)
            return new PycytoReadingTask(assignment, mode, reads, reads.order.indices.toList(), isTold, null)
        }
        if (assignment.proficiency) {
            Pycyto.refuse("The cells of ${assignment.name} have a consensus already: it is for training, and is read only.")
        }
        def consensus = new PycytoConsensus(assignment)
        if (!who?.trim()) {
            Pycyto.refuse('Say who sits at the screen: the labels are kept under their names.')
        }
        if (mode == ADJUDICATION && assignment.readers.any { it.equalsIgnoreCase(who.trim()) }) {
            Pycyto.refuse("${who} has read these cells already. What the readers left open is decided by somebody else.")
        }
        def reads = PycytoReads.together(assignment, mode, who.trim())
        return new PycytoReadingTask(assignment, mode, reads, mode == CONSENSUS ? consensus.disagreements : consensus.leftOpen, false, consensus)
    }

    /** What is due: reading until all readers are done, then what they differ on, then what they left open. */
    static String due(PycytoAssignment assignment) {
        if (assignment.proficiency || assignment.readers.size() < 2) {
            return READING
        }
        def consensus = new PycytoConsensus(assignment)
        return !consensus.allAreDone() ? READING : consensus.waiting ? CONSENSUS : consensus.forThirdReader ? ADJUDICATION : READING
    }

    /** One person or group at a time: the lock lies beside their file. */
    File getFolder() {
        return reads.file.parentFile
    }

    /** What the readers said of a cell, for those who look at it together; a third reader decides without. */
    List<String> said(int position) {
        return mode == CONSENSUS ? consensus.said(reads.order[position]) : []
    }

    /** The consensus on a cell of a proficiency assignment, or null. */
    String answer(int position) {
        return answers[assignment.cells[reads.order[position]].key]
    }

    /** How many are done, and how many are left. */
    Map<String, Integer> progress() {
        int done = positions.count { reads.isRead(it) } as int
        return [read: done, left: positions.size() - done]
    }

    /** What a sitting came to, in sentences. */
    List<String> summary() {
        int done = progress().read
        List<String> lines = [mode == READING ? "${done} of ${positions.size()} cells are read." : "${done} of ${positions.size()} cells are looked at."] as List<String>
        if (mode != READING) {
            int open = positions.count { reads.isRead(it) && reads.labelAt(it) == null } as int
            lines << "${done - open} have a label now, ${open} ${open == 1 ? 'is' : 'are'} left open${mode == CONSENSUS ? ' for a third reader' : ''}.".toString()
        }
        return lines + (done == positions.size() ? score() : [])
    }

    /** How a training reader did; not before the end, since a cell may come up again. */
    private List<String> score() {
        List<Integer> known = positions.findAll { answer(it) != null }
        if (!known) {
            return assignment.proficiency ? ['How this compares with the consensus, "pycyto agreement" tells: the reads that it follows from are not in this copy of the project.'] : []
        }
        List<Integer> grave = known.findAll { answer(it) == GRAVEST }
        List<String> lines = ["The consensus says the same of ${known.count { reads.labelAt(it) == answer(it) }} of ${known.size()}.".toString()]
        if (grave) {
            lines << "${GRAVEST} called something else: ${grave.count { reads.labelAt(it) != GRAVEST }} of ${grave.size()}.".toString()
        }
        return lines
    }

    /** What to do with the file. */
    String sending() {
        return """The answers are in the file below. If this project is a copy, send this one file to the person who gave it to you, \
to be put into the folder pycyto/reads/${folder.name} of the original. Nothing else of the copy is needed."""
    }

    /** How far everybody is: what a run without a window answers. */
    static Map<String, Object> counts(PycytoAssignment assignment) {
        def consensus = new PycytoConsensus(assignment)
        return [cells: assignment.cells.size(),
            read: consensus.reads.collectEntries { who, reads -> [who, reads.count] },
            left: consensus.reads.collectEntries { who, reads -> [who, reads.left] },
            disagreements: consensus.disagreements.size(),
            'waiting for consensus': consensus.waiting.size(),
            'waiting for a third reader': consensus.forThirdReader.size()]
    }
}
