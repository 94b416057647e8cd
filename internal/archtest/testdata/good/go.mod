module conclave
