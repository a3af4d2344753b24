/*
 * Since when something is on the screen. Keys that were pressed before that were meant for what was there
 * before: where QuPath is slow they wait, and are all carried out at once.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

import groovy.transform.CompileStatic
import javafx.animation.AnimationTimer

@CompileStatic
class PycytoOnScreen extends AnimationTimer {
    private static final double SOONEST = 0.25d  // seconds: nobody sees what it is and presses a key within less

    private int pulses
    private long since = 0L  // nanoseconds; 0 while it cannot be seen

    /** Something else is shown from now on. */
    void renew() {
        since = 0L
        pulses = 0
        start()
    }

    /** With each picture of the window: the second one comes when the first is painted. */
    @Override
    void handle(long now) {
        pulses++
        if (pulses == 2) {
            since = System.nanoTime()
            stop()
        }
    }

    /** It can no longer be seen. */
    void end() {
        stop()
        since = 0L
    }

    double getSeconds() {
        return since == 0L ? 0d : (System.nanoTime() - since) / 1e9d
    }

    /** Whether somebody can have looked at it by now. */
    boolean isLookedAt() {
        return seconds >= SOONEST
    }

    /** Refuses what nobody can have looked at yet. */
    void check() {
        if (!lookedAt) {
            Pycyto.refuse('That key came before this could be seen, so nothing was recorded. Press it again.')
        }
    }
}
