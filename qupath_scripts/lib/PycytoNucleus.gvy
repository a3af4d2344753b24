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

    private PycytoNucleus(ROI outline, ROI cell) {
        this.outline = outline
        this.cell = cell
    }

    /** Null where one of them has no area, or the nucleus is no smaller than the cell: then it says nothing. */
    static PycytoNucleus of(ROI outline, ROI cell) {
        double area = outline == null ? 0.0d : PycytoObjects.area(outline)
        return area > 0 && cell != null && area < PycytoObjects.area(cell) ? new PycytoNucleus(outline, cell) : null
    }

    static PycytoNucleus of(PathCellObject cell) {
        return of(cell.getNucleusROI(), cell.getROI())
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
