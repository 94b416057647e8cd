package actor

import . "time" // want a test sleeps

func doze() { Sleep(Second) }
