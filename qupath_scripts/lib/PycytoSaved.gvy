/*
 * What is on disk of an image: its objects, and the hash of the very file that they were read from.
 * Reading takes long where there are many, so what follows a save shares one look.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import qupath.lib.objects.PathObject

class PycytoSaved {
    final String sha256
    final List<PathObject> objects

    private PycytoSaved(String sha256, List<PathObject> objects) {
        this.sha256 = sha256
        this.objects = objects
    }

    static PycytoSaved of(PycytoImage image) {
        String sha = image.dataSha256()
        def saved = new PycytoSaved(sha, image.objectsOnDisk())
        if (image.dataSha256() != sha) {
            Pycyto.refuse('The data of this image was saved while it was being read. Start again when nothing else is at work on the project.')
        }
        return saved
    }
}
