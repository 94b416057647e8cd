package actor

import clock "time"

func wait() { clock.Sleep(clock.Second) } // want a test sleeps
