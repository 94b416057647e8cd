package global

//conclave:pure

import _ "net" // want a pure file imports
