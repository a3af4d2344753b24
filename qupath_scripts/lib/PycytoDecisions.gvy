/*
 * What the reviewers of a project have decided: pycyto/decisions, one log per reviewer. The logs
 * are the truth; the classes in QuPath follow from them. See docs/formats.md.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic

@CompileStatic
class PycytoDecisions {
    private static final List<String> NEEDED = ['decision', 'at', 'project_id', 'entry_id', 'object_id', 'action']

    final PycytoProject project
    final String reviewer
    private final PycytoLog log
    private final Map<String, List<Map<String, Object>>> byCell = new HashMap<String, List<Map<String, Object>>>()
    private final List<Map<String, Object>> own = new ArrayList<Map<String, Object>>()
    private String latest = ''

    /**
     * Reads what all reviewers have decided.
     *
     * @param reviewer  whose decisions will be added; null to read only
     */
    PycytoDecisions(PycytoProject project, String reviewer) {
        this.project = project
        this.reviewer = reviewer
        log = reviewer ? new PycytoLog(fileOf(project, reviewer)) : null
        for (Map<String, Object> line : readAll(project)) {
            keep(line)
        }
    }

    static File folderOf(PycytoProject project) {
        return new File(project.workspace, 'decisions')
    }

    static File fileOf(PycytoProject project, String reviewer) {
        return new File(folderOf(project), PycytoLog.fileNameOf(reviewer) + '.jsonl')
    }

    /** All decisions on a cell, the oldest first. */
    List<Map<String, Object>> of(String cellKey) {
        return byCell.get(cellKey) ?: new ArrayList<Map<String, Object>>()
    }

    /** The decision that gave a cell its class, also where it was flagged since; null where none stands. */
    Map<String, Object> labelling(String cellKey) {
        return PycytoCell.standing(of(cellKey)).reverse().find { Map<String, Object> it -> it.get('label') != null }
    }

    /** This reviewer's decisions that can still be taken back, the oldest first. */
    List<Map<String, Object>> getOwn() {
        return Collections.unmodifiableList(own)
    }

    /** Objects of an image that somebody has decided on in a review: what a run does leaves them as they are. */
    static Set<String> decidedIn(PycytoProject project, String imageId) {
        Map<String, List<Map<String, Object>>> ofImage = readAll(project).findAll { Map<String, Object> it -> it.get('entry_id') == imageId }
            .groupBy { Map<String, Object> it -> it.get('object_id') as String }
        return ofImage.findAll { String id, List<Map<String, Object>> lines -> PycytoCell.standing(lines).any { it.get('label') != null } }.keySet()
    }

    /** How many cells of each run somebody has decided on in a review, by the run's name. */
    Map<String, Integer> getCellsByRun() {
        Map<String, Integer> counts = new HashMap<String, Integer>()
        for (List<Map<String, Object>> lines : byCell.values()) {
            List<Map<String, Object>> decided = PycytoCell.standing(lines).findAll { Map<String, Object> it -> it.get('label') != null }
            for (String run : decided.collect { Map<String, Object> it -> it.get('run') as String }.toSet()) {
                counts.merge(run, 1, Integer::sum)
            }
        }
        return counts
    }

    /** Writes a decision to this reviewer's log; it is on the disk when this returns. */
    Map<String, Object> add(PycytoCell cell, Map<String, Object> said) {
        Map<String, Object> line = new LinkedHashMap<String, Object>()
        line.put('schema', Pycyto.SCHEMA)
        line.put('decision', UUID.randomUUID().toString())
        // A clock that was put back must not put decisions into another order.
        line.put('at', [PycytoLog.now(), latest].max())
        line.put('reviewer', reviewer)
        line.put('project_id', project.id)
        line.put('entry_id', cell.entryId)
        line.put('object_id', cell.objectId)
        line.put('point_index', cell.pointIndex)
        line.putAll(said)
        log.append(line)
        keep(line)
        cell.replay(of(cell.key))
        return line
    }

    private void keep(Map<String, Object> line) {
        String key = PycytoCell.keyOf(line.get('entry_id'), line.get('object_id'), line.get('point_index'))
        byCell.computeIfAbsent(key, (String it) -> new ArrayList<Map<String, Object>>()).add(line)
        latest = [latest, line.get('at') as String].max()
        if (reviewer == null || !reviewer.trim().equalsIgnoreCase((line.get('reviewer') as String)?.trim())) {
            return
        }
        if (line.get('action') == 'take back') {
            own.removeIf((Map<String, Object> it) -> it.get('decision') == line.get('takes_back'))
        } else {
            own.add(line)
        }
    }

    private static List<Map<String, Object>> readAll(PycytoProject project) {
        List<Map<String, Object>> all = new ArrayList<Map<String, Object>>()
        File[] files = folderOf(project).listFiles() ?: new File[0]
        for (File file : files.sort()) {
            if (file.name.endsWith('.jsonl')) {
                all.addAll(checked(project, file))
            }
        }
        // The sort keeps the order within a file where the times are the same.
        return all.sort((Map<String, Object> a, Map<String, Object> b) -> (a.get('at') as String).compareTo(b.get('at') as String))
    }

    private static List<Map<String, Object>> checked(PycytoProject project, File file) {
        def log = new PycytoLog(file)
        List<Map<String, Object>> lines = log.lines()
        lines.eachWithIndex { Map<String, Object> line, int index ->
            if (!NEEDED.every { String it -> line.get(it) instanceof String }) {
                log.refuse(index + 1, "lacks one of ${NEEDED.join(', ')}")
            }
            if (line.get('project_id') != project.id) {
                log.refuse(index + 1, 'belongs to another project')
            }
        }
        return lines
    }
}
