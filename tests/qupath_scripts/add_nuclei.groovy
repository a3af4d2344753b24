/*
 * For tests: draws a nucleus into every outlined cell of an image, the larger the more severe its class.
 */
import qupath.lib.objects.PathObjects
import qupath.lib.objects.classes.PathClass
import qupath.lib.roi.ROIs
import qupath.lib.scripting.QP

def part = [NILM: 0.3, 'ASC-US': 0.45, LSIL: 0.5, HSIL: 0.7]  // of the outline's diameter
def nucleus = PathClass.fromString('Nucleus')
def hierarchy = QP.currentImageData.hierarchy
def cells = hierarchy.annotationObjects.findAll { it.getROI().isArea() && part.containsKey(it.pathClass?.toString()) }
hierarchy.addObjects(cells.collect {
    def roi = it.getROI(), size = part[it.pathClass.toString()]
    def w = size * roi.boundsWidth, h = size * roi.boundsHeight
    def inside = ROIs.createEllipseROI(roi.centroidX - w / 2, roi.centroidY - h / 2, w, h, roi.imagePlane)
    PathObjects.createAnnotationObject(inside, nucleus)
})
