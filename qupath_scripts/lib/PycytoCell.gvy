/*
 * One cell of a run under review: what the run says of it, what the expert says, and what was
 * decided in reviews.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic

@CompileStatic
class PycytoCell {
    // What a cell can be in a review.
    static final String OPEN = 'open'
    static final String DECIDED = 'decided'
    static final String SKIPPED = 'skipped'
    static final String FLAGGED = 'flagged'
    static final List<String> STATES = [OPEN, DECIDED, SKIPPED, FLAGGED]

    // How urgently a cell wants a look: the smaller, the sooner.
    static final int UNDERCALL = 0
    static final int DISAGREEMENT = 1
    static final int UNCERTAINTY = 2

    final String entryId
    final String objectId     // the expert's object, or the detection that the run has classified
    final Integer pointIndex  // null for outlines
    final String detectionId  // the detection that shows the prediction
    final double x
    final double y
    final String predicted
    final List<String> labels          // of the run, the least severe first; shared by all its cells
    final double[] probabilities       // of each label
    final boolean isTrainedOn

    String expertClass        // class of the expert's object, as QuPath has it; null for none
    String expertLabel        // ... by its name in the scheme; null where the scheme has none
    boolean isGone = false    // its object is no longer in the image
    String elsewhere = null   // message: it was given another class outside the review
    List<Map<String, Object>> decisions = []  // of all reviewers, the oldest first

    private String label
    private String state = OPEN
    private Map<String, Integer> tally  // of its image: how many cells are in which state
    private String counted              // the state that it is counted under there

    PycytoCell(Map<String, Object> of) {
        entryId = of.entryId
        objectId = of.objectId
        pointIndex = of.pointIndex as Integer
        detectionId = of.detectionId
        x = of.x as double
        y = of.y as double
        predicted = of.predicted
        labels = of.labels as List<String>
        probabilities = of.probabilities as double[]
        isTrainedOn = of.isTrainedOn
    }

    /** Whether the object is the prediction itself: a detection of the expert's that a run has classified. */
    boolean isUpdate() {
        return objectId == detectionId
    }

    String getKey() {
        return keyOf(entryId, objectId, pointIndex)
    }

    static String keyOf(Object entryId, Object objectId, Object pointIndex) {
        return "${entryId}/${objectId}/${pointIndex == null ? '' : pointIndex}".toString()
    }

    double probabilityOf(String name) {
        int index = labels.indexOf(name)
        return index < 0 ? 0.0d : probabilities[index]
    }

    double getHsil() {
        return probabilityOf('HSIL')
    }

    Map<String, Double> getProbabilityByLabel() {
        Map<String, Double> all = new LinkedHashMap<String, Double>()
        for (int i = 0; i < labels.size(); i++) {
            all.put(labels[i], probabilities[i])
        }
        return all
    }

    // --- what was decided -----------------------------------------------------------------------

    /** The label that was decided, or null. */
    String getLabel() {
        return label
    }

    String getState() {
        return elsewhere == null ? state : OPEN
    }

    /** Counts it among the cells of its image, now and whenever its state changes; what is gone is not counted. */
    void countIn(Map<String, Integer> tally) {
        this.tally = tally
        count()
    }

    private void count() {
        String now = isGone ? null : getState()
        if (tally == null || now == counted) {
            return
        }
        if (counted != null) {
            tally.merge(counted, -1, Integer::sum)
        }
        if (now != null) {
            tally.merge(now, 1, Integer::sum)
        }
        counted = now
    }

    void setIsGone(boolean isGone) {
        this.isGone = isGone
        count()
    }

    void setElsewhere(String elsewhere) {
        this.elsewhere = elsewhere
        count()
    }

    /** Takes over what all decisions on it come to; the oldest first. */
    void replay(List<Map<String, Object>> all) {
        decisions = all
        label = null
        state = OPEN
        for (Map<String, Object> it : standing(all)) {
            follow(it)
        }
        count()
    }

    /** Decisions that were not taken back. */
    static List<Map<String, Object>> standing(List<Map<String, Object>> lines) {
        Set<Object> takenBack = new HashSet<Object>()
        for (Map<String, Object> it : lines) {
            takenBack.add(it.get('takes_back'))
        }
        return lines.findAll { Map<String, Object> it -> it.get('action') != 'take back' && !takenBack.contains(it.get('decision')) }
    }

    private void follow(Map<String, Object> decision) {
        Object action = decision.get('action')
        if (action == 'class' || action == 'accept') {
            label = decision.get('label')
            state = DECIDED
        } else if (action == 'flag') {
            state = FLAGGED
        } else if (action == 'skip' && state == OPEN) {
            state = SKIPPED
        }
    }

    // --- how urgent it is -----------------------------------------------------------------------

    /** Steps of severity from what the expert says to what the model says; 0 where one of them is not in the scheme. */
    int getSeverityDifference() {
        int of = labels.indexOf(predicted), from = labels.indexOf(expertLabel)
        return of < 0 || from < 0 ? 0 : of - from
    }

    boolean isDisagreement() {
        return expertClass != null && expertLabel != predicted
    }

    /** How far the two most probable classes are apart: the less, the less certain is the model. */
    double getMargin() {
        double first = 0, second = 0
        for (double it : probabilities) {
            if (it > first) {
                second = first
                first = it
            } else if (it > second) {
                second = it
            }
        }
        return first - second
    }

    /** @param hsilAbove  P(HSIL) from which a cell called NILM may be an undercall */
    int urgency(double hsilAbove) {
        boolean isNilm = predicted == 'NILM' || expertLabel == 'NILM'
        return isNilm && hsil >= hsilAbove ? UNDERCALL : isDisagreement() ? DISAGREEMENT : UNCERTAINTY
    }

    /** The order of a review within a slide: undercalls first, then disagreements, then what the model is uncertain of. */
    static Comparator<PycytoCell> byUrgency(double hsilAbove) {
        return (PycytoCell a, PycytoCell b) -> {
            int urgency = a.urgency(hsilAbove)
            int order = Integer.compare(urgency, b.urgency(hsilAbove))
            if (order == 0 && urgency == DISAGREEMENT) {
                order = Integer.compare(Math.abs(b.severityDifference), Math.abs(a.severityDifference))
            } else if (order == 0 && urgency == UNCERTAINTY) {
                order = Double.compare(a.margin, b.margin)
            }
            order = order == 0 ? Double.compare(b.hsil, a.hsil) : order
            return order == 0 ? a.key.compareTo(b.key) : order
        } as Comparator<PycytoCell>
    }
}
