package actor

import "time"

// Not pure: it has no step and no marker. (//conclave:pure in the middle of a
// comment is none.)
var Now = time.Now
