/*
 * A nucleus and the cell around it, as two outlines.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import qupath.lib.objects.PathCellObject
import qupath.lib.roi.interfaces.ROI

@CompileStatic
class PycytoNucleus {
    final ROI outline
    final ROI cell
    final boolean isDetected  // both are those of a QuPath cell object, whose border may be no border

    private PycytoNucleus(ROI outline, ROI cell, boolean isDetected) {
        this.outline = outline
        this.cell = cell
        this.isDetected = isDetected
    }

    static PycytoNucleus of(PathCellObject cell) {
        return isWithin(cell.getNucleusROI(), cell.getROI()) ? new PycytoNucleus(cell.getNucleusROI(), cell.getROI(), true) : null
    }

    static PycytoNucleus drawn(ROI outline, ROI cell) {
        return isWithin(outline, cell) ? new PycytoNucleus(outline, cell, false) : null
    }

    /** Whether both have an area, and that of the nucleus is smaller: else it says nothing. */
    private static boolean isWithin(ROI outline, ROI cell) {
        double area = outline == null ? 0.0d : PycytoObjects.area(outline)
        return area > 0 && cell != null && area < PycytoObjects.area(cell)
    }

    /** In square pixels of the full resolution. */
    double getArea() {
        return PycytoObjects.area(outline)
    }

    /** Area of the nucleus divided by that of the whole cell, the nucleus included. */
    double getPartOfCell() {
        return area / PycytoObjects.area(cell)
    }
}
