# Home Assistant puts probatio in the place of voluptuous when it starts; these are its types.
from probatio import *
