/*
 * The cells of a run in the order of a review, what was decided on them, and how much is left.
 * All from tables and logs: no image is opened for it.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic

class PycytoReview {
    final PycytoRun run
    final PycytoDecisions decisions
    final List<String> labels               // of the run, the least severe first
    final double hsilAbove
    final List<String> notices = []         // what is left out, and why
    private final Map<String, List<PycytoCell>> byImage = [:]  // in the order of the review
    private final Map<String, Map<String, Integer>> tallies = [:]  // by image: cells in each state, kept by the cells

    /** @param hsilAbove  P(HSIL) from which a cell called NILM may be an undercall */
    PycytoReview(PycytoRun run, PycytoDecisions decisions, double hsilAbove) {
        this.run = run
        this.decisions = decisions
        this.hsilAbove = hsilAbove
        labels = run.colours.keySet().toList()
        Map<String, List<PycytoCell>> found = [:]
        imagesToReview().each { String imageId -> found[imageId] = sorted(cellsOf(imageId)) }
        found.findAll { it.value }.sort { a, b -> PycytoCell.byUrgency(hsilAbove).compare(a.value[0], b.value[0]) }
            .each { byImage[it.key] = it.value }
        byImage.each { String imageId, List<PycytoCell> own -> tallies[imageId] = tallied(own) }
        if (byImage.isEmpty()) {
            Pycyto.refuse("The run ${run.name} has no cells to review. ${notices.join(' ')}".trim())
        }
    }

    /** Entry IDs, that with the most urgent cell first. */
    List<String> getImages() {
        return byImage.keySet().toList()
    }

    /** Cells of one image in the order of the review. */
    List<PycytoCell> cells(String imageId) {
        return byImage[imageId] ?: []
    }

    List<PycytoCell> getCells() {
        return byImage.values().collectMany { it }
    }

    /**
     * Cells that a filter lets through, in the order of the review.
     *
     * @param filter  any of predicted and expert (a label; expert may be "none"), state, hsil_from, hsil_to
     */
    List<PycytoCell> cells(Map<String, Object> filter) {
        return cells.findAll { matches(it, filter) }
    }

    @CompileStatic
    static boolean matches(PycytoCell cell, Map<String, Object> filter) {
        return !cell.isGone
            && (filter.predicted == null || cell.predicted == filter.predicted)
            && (filter.expert == null || (cell.expertLabel ?: 'none') == filter.expert)
            && (filter.state == null || cell.state == filter.state)
            && (filter.hsil_from == null || cell.hsil >= (filter.hsil_from as double))
            && (filter.hsil_to == null || cell.hsil <= (filter.hsil_to as double))
    }

    /** How many cells are open, decided, skipped, flagged, in one image or (null) in all. */
    Map<String, Integer> counts(String imageId = null) {
        def wanted = imageId == null ? tallies.values() : [tallies[imageId]].findAll()
        return PycytoCell.STATES.collectEntries { state -> [state, wanted.sum(0) { it[state] }] } as Map<String, Integer>
    }

    /** The same in words. */
    String told(String imageId = null) {
        Map<String, Integer> counts = counts(imageId)
        List<String> aside = [PycytoCell.SKIPPED, PycytoCell.FLAGGED].findAll { counts[it] }.collect { "${counts[it]} ${it}".toString() }
        return ["${counts.decided} decided", *aside, "${counts.open} left"].join(', ')
    }

    private static Map<String, Integer> tallied(List<PycytoCell> cells) {
        def tally = PycytoCell.STATES.collectEntries { [it, 0] } as Map<String, Integer>
        cells.each { it.countIn(tally) }
        return tally
    }

    /** The cell of a decision, or null where it is not in this run. */
    PycytoCell cellOf(Map<String, Object> decision) {
        String key = PycytoCell.keyOf(decision.entry_id, decision.object_id, decision.point_index)
        return cells(decision.entry_id as String).find { it.key == key }
    }

    /** Sorts an image's cells anew: older runs do not say what the expert said, the opened image does. */
    void sort(String imageId) {
        byImage[imageId] = sorted(cells(imageId))
    }

    private List<PycytoCell> sorted(List<PycytoCell> cells) {
        return cells.toSorted(PycytoCell.byUrgency(hsilAbove))
    }

    // --- the tables of the run -------------------------------------------------------------------

    /** Those that the run was written into; the others are named in the notices. */
    private List<String> imagesToReview() {
        Set<String> inProject = run.project.imageIds as Set
        Map<String, List<String>> reasons = run.json.getAsJsonObject('images').keySet().groupBy { String id ->
            !(id in inProject) ? 'no longer in the project'
                : run.get(id, 'pending_sha256') ? 'half loaded, since QuPath or pycyto was stopped: run import_predictions.groovy again'
                : run.get(id, 'state') == 'staged' ? 'not loaded yet: run import_predictions.groovy on them first'
                : run.get(id, 'state') == 'overwritten' ? 'no longer in QuPath, which saved an older state over the run: run import_predictions.groovy again'
                : run.get(id, 'state') == 'undone' ? 'taken back: load the run again to review it'
                : ''
        }
        reasons.findAll { it.key }.each { reason, ids ->
            notices << "${ids.size()} image${ids.size() == 1 ? ' is' : 's are'} left out (${ids.collect { run.project.called(it) }.join(', ')}): ${reason}.".toString()
        }
        return reasons[''] ?: []
    }

    private List<PycytoCell> cellsOf(String imageId) {
        Set<String> written = run.written(imageId).keySet()
        List<PycytoCell> cells = []
        int[] rows = [0]
        run.eachRowOf('new', imageId) { Map<String, String> row, Map<String, Double> values ->
            rows[0]++
            add(cells, written, row, cell(imageId, row.source_id, row, values))
        }
        run.eachRowOf('updates', imageId) { Map<String, String> row, Map<String, Double> values ->
            rows[0]++
            add(cells, written, row, cell(imageId, row.object_id, row, values))
        }
        checkRows(imageId, rows[0])
        if (rows[0] > cells.size()) {
            notices << ("${rows[0] - cells.size()} cells of ${run.project.called(imageId)} are left out: they were gone, "
                + 'or had been given a class, before the run was loaded.').toString()
        }
        return cells
    }

    private void checkRows(String imageId, int found) {
        int staged = (run.get(imageId, 'new') as int) + (run.get(imageId, 'updates') as int)
        if (found != staged) {
            Pycyto.refuse("${staged} cells of ${run.project.called(imageId)} were predicted, and the tables of the run ${run.name} hold ${found}. "
                + 'The run is not whole: copy its folder again, or predict again.', 'bad input')
        }
    }

    private void add(List<PycytoCell> cells, Set<String> written, Map<String, String> row, PycytoCell cell) {
        if (!(row.object_id in written)) {
            return
        }
        cell.expertClass = row.source_class ?: null
        cell.expertLabel = labelOf(cell.expertClass)
        cell.replay(decisions.of(cell.key))
        if (cell.decisions) {
            cell.expertClass = cell.decisions.last().new_class
            cell.expertLabel = labelOf(cell.expertClass)
        }
        cells << cell
    }

    private PycytoCell cell(String imageId, String objectId, Map<String, String> row, Map<String, Double> values) {
        return new PycytoCell(entryId: imageId, objectId: objectId, detectionId: row.object_id,
            pointIndex: row.point_index ? row.point_index as Integer : null, x: row.x as double, y: row.y as double,
            predicted: row.get('class'), labels: labels, isTrainedOn: row.trained_on == '1',
            probabilities: labels.collect { values["pycyto: P(${it})".toString()] ?: 0.0d } as double[])
    }

    String labelOf(String className) {
        return PycytoSelection.labelOf(run.json.get('scheme').asString, className)
    }
}
