package conclave // want has no floor yet
